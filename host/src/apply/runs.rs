//! What a deployment's runs keep, so that a run that was killed is mended and one that was a mistake
//! is undone.
//!
//! ```text
//! runs-NAME/lock             held while a run may write; says who has it
//! runs-NAME/000042/          0700; everything in it 0600
//!     0.old, 1.old           the files as they were, sealed: only this installation's key opens them
//!     0.new                  what is being written, sealed, of a file that nothing can replace
//!     intent.json            what is about to change: written last, and the run has begun
//!     done.json              the same by another name: the run has ended, and all of it is there
//!     undone.json            ... and none of it is there
//!     rolled-back.json       ... and somebody took it back
//! ```

mod folder;

use std::{
    fmt,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};

use rustix::fs::OFlags;

use crate::{
    model::{Finding, Severity},
    observe::file,
    record::{StateFolder, is_our_folder, make_ours, moment},
    secret::{Digest, Key},
};

use folder::numbers;

/// How many runs are kept, and how long, so that they can be rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// The newest runs. 10 by default.
    pub runs: usize,
    /// Days. 30 by default.
    pub days: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self { runs: 10, days: 30 }
    }
}

/// Number of a run, one more than the last.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl std::str::FromStr for RunId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

/// How far a run came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RunState {
    /// It was killed, or is at it.
    Begun,
    /// Everything that it was to change is changed.
    Done,
    /// Nothing of it is there.
    Undone,
    /// Somebody took it back.
    RolledBack,
}

impl RunState {
    const ALL: [Self; 4] = [Self::Begun, Self::Done, Self::Undone, Self::RolledBack];

    fn file(self) -> &'static str {
        match self {
            Self::Begun => "intent.json",
            Self::Done => "done.json",
            Self::Undone => "undone.json",
            Self::RolledBack => "rolled-back.json",
        }
    }
}

/// What a run changes, or changed. Holds no secret. Made by [`Runs`] alone: it says by a keyed hash that
/// this installation wrote it, and nothing is done by one that does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// `precedent.run/1`
    pub schema: String,
    /// Its number.
    pub run: RunId,
    /// When it began, in seconds since 1970.
    pub at: u64,
    /// The verb of the command line, or the name that an embedding program gives.
    pub verb: String,
    /// The run that it took back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<RunId>,
    /// The files that it changes.
    pub targets: Vec<RunTarget>,
    /// Keyed hash of all this.
    pub(super) mac: Option<Digest>,
}

impl Run {
    fn mac(&self, key: &Key) -> Option<Digest> {
        let unsigned = Self { mac: None, ..self.clone() };
        serde_json::to_vec(&("run", unsigned)).ok().map(|bytes| key.digest(&bytes))
    }

    fn signed(mut self, key: &Key) -> Self {
        self.mac = self.mac(key);
        self
    }

    /// Whether this installation wrote it, and nobody has changed it since.
    pub(super) fn is_ours(&self, key: &Key) -> bool {
        self.mac.is_some() && self.mac == self.mac(key)
    }
}

/// A file that a run changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTarget {
    /// The path as the deployment names it.
    pub path: PathBuf,
    /// Where its links lead.
    pub real: PathBuf,
    /// The gateway's own lock on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<PathBuf>,
    /// Digest of what was there.
    pub old: Digest,
    /// Digest of what is to be there.
    pub new: Digest,
    /// Mode of the file before.
    pub mode: u32,
    /// Access list of the file before, in hexadecimal digits of the kernel's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_list: Option<String>,
    /// Whether it is written over as it is, for nothing can take its place.
    #[serde(default)]
    pub in_place: bool,
    /// Name of the new file until it takes its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary: Option<PathBuf>,
}

/// The runs of a deployment could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunsError {
    /// Another run may write now.
    #[error("another run has the deployment: {owner}; wait for it, or end it ({} says who it is)", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// Who has it, and for how long.
        owner: String,
    },
    /// The folder cannot be used.
    #[error("cannot keep what a run needs in {}: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A run that was killed cannot be mended.
    #[error("run {run} was interrupted and cannot be mended: {reason}; bring the files that it names in order, then remove {}", path.display())]
    Interrupted {
        /// The run.
        run: RunId,
        /// What stands in the way.
        reason: String,
        /// Its folder.
        path: PathBuf,
    },
    /// There is nothing to roll back.
    #[error("{0}")]
    Nothing(String),
}

impl RunsError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Folder { .. })
    }
}

/// The runs of a deployment, and the right to write to it: one process has that at a time, for as
/// long as it keeps this.
#[derive(Debug)]
pub struct Runs {
    pub(super) folder: PathBuf,
    pub(super) verb: String,
    pub(super) keep: Keep,
    _lock: File,
}

/// Who has the lock, as its file says.
#[derive(Debug, Serialize, Deserialize)]
struct Holder {
    pid: u32,
    verb: String,
    /// Seconds since 1970.
    since: u64,
}

impl Runs {
    /// Takes the deployment's lock, waiting while another run has it.
    ///
    /// # Errors
    ///
    /// Where another run keeps it for longer than that, or the folder cannot be used.
    pub fn lock(
        state: &StateFolder,
        deployment: &str,
        verb: &str,
        keep: Keep,
        wait: Duration,
    ) -> Result<Self, RunsError> {
        let folder = state.of("runs", deployment);
        let path = folder.join("lock");
        let fault = |error: &io::Error| RunsError::Folder {
            path: folder.clone(),
            reason: error.to_string(),
        };
        let mut file =
            state.make().and_then(|()| open_lock(&folder, &path)).map_err(|error| fault(&error))?;
        // Who only looks has it for an instant too.
        let until = Instant::now() + wait.max(Duration::from_millis(50));
        while let Err(error) = file.try_lock() {
            match error {
                fs::TryLockError::WouldBlock if Instant::now() < until => {
                    thread::sleep(Duration::from_millis(20));
                }
                fs::TryLockError::WouldBlock => {
                    return Err(RunsError::Locked { owner: holder(&path), path });
                }
                fs::TryLockError::Error(error) => return Err(fault(&error)),
            }
        }
        let holder = Holder { pid: std::process::id(), verb: verb.to_owned(), since: seconds() };
        // Only for the message of who has to wait, so a full disk is no reason to stop.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(&serde_json::to_vec(&holder).unwrap_or_default()));
        Ok(Self { folder, verb: verb.to_owned(), keep, _lock: file })
    }

    /// The runs that are kept, oldest first, for showing them; asks for no lock.
    #[must_use]
    pub fn list(state: &StateFolder, deployment: &str) -> Vec<(Run, RunState)> {
        let folder = state.of("runs", deployment);
        let numbers =
            if is_our_folder(&folder).is_ok() { numbers(&folder) } else { Ok(Vec::new()) };
        let read = |id| folder::read(&folder, id);
        numbers.unwrap_or_default().into_iter().filter_map(read).collect()
    }

    /// The newest run that was killed and that no run has mended yet.
    #[must_use]
    pub fn interrupted(state: &StateFolder, deployment: &str) -> Option<Run> {
        let folder = state.of("runs", deployment);
        is_our_folder(&folder).ok()?;
        let lock = file::open(&folder.join("lock")).ok()?.file;
        // Where it is held, the run is at it.
        lock.try_lock_shared().ok()?;
        let runs = Self::list(state, deployment);
        runs.into_iter().rev().find(|(_, state)| *state == RunState::Begun).map(|(run, _)| run)
    }

    /// What there is to say of a run that was killed and that none has mended yet.
    #[must_use]
    pub fn interruption(state: &StateFolder, deployment: &str) -> Option<Finding> {
        let run = Self::interrupted(state, deployment)?;
        Some(Finding {
            code: "run-interrupted".to_owned(),
            severity: Severity::Warning,
            message: format!(
                "run {} ({}) began at {} and was interrupted; a part of its {} files may be changed",
                run.run,
                run.verb,
                moment(run.at),
                run.targets.len()
            ),
            remedy: Some("precedent apply puts them back, then looks anew".to_owned()),
            locations: Vec::new(),
        })
    }

    /// The runs that are kept, oldest first.
    pub(super) fn all(&self) -> io::Result<Vec<(Run, RunState)>> {
        let numbers = numbers(&self.folder)?;
        Ok(numbers.into_iter().filter_map(|id| folder::read(&self.folder, id)).collect())
    }

    /// A run that has begun and not ended.
    pub(super) fn is_begun(&self) -> Option<RunId> {
        let runs = self.all().unwrap_or_default();
        runs.iter().find(|(_, state)| *state == RunState::Begun).map(|(run, _)| run.run)
    }

    pub(super) fn folder_of(&self, id: RunId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    /// What cannot be mended, and why.
    pub(super) fn stuck(&self, run: RunId, reason: String) -> RunsError {
        RunsError::Interrupted { run, reason, path: self.folder_of(run) }
    }
}

fn holder(path: &Path) -> String {
    let holder: Option<Holder> =
        file::open(path).ok().and_then(|opened| serde_json::from_slice(&opened.bytes).ok());
    match holder {
        Some(holder) => {
            let age = Duration::from_secs(seconds().saturating_sub(holder.since));
            let age = humantime::format_duration(age);
            format!("`{}`, process {}, for {age}", holder.verb, holder.pid)
        }
        None => "one that does not say who it is".to_owned(),
    }
}

fn seconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// A regular file of this user's own, and no link to one of another name.
#[allow(clippy::disallowed_methods, reason = "the runs are this host's own")]
fn open_lock(folder: &Path, path: &Path) -> io::Result<File> {
    make_ours(folder)?;
    is_our_folder(folder)?;
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let mut options = File::options();
    let options = options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let lock = options.custom_flags(flags).open(path)?;
    let metadata = lock.metadata()?;
    if metadata.is_file() && metadata.nlink() == 1 {
        Ok(lock)
    } else {
        Err(io::Error::other("its lock is no regular file of its own"))
    }
}

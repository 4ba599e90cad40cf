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

use std::{
    fmt,
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::replace::{Staged, sync_folder};
use crate::{
    record::{StateFolder, make_ours},
    secret::{Digest, Key},
};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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

/// What a run changes, or changed. Holds no secret.
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
        let until = Instant::now() + wait;
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
        numbers(&folder).into_iter().filter_map(|id| read(&folder, id)).collect()
    }

    /// The newest run that was killed and that no run has mended yet.
    #[must_use]
    pub fn interrupted(state: &StateFolder, deployment: &str) -> Option<Run> {
        let lock = File::open(state.of("runs", deployment).join("lock")).ok()?;
        // Where it is held, the run is at it.
        lock.try_lock_shared().ok()?;
        let runs = Self::list(state, deployment);
        runs.into_iter().rev().find(|(_, state)| *state == RunState::Begun).map(|(run, _)| run)
    }

    /// The runs that are kept, oldest first.
    pub(super) fn all(&self) -> Vec<(Run, RunState)> {
        numbers(&self.folder).into_iter().filter_map(|id| read(&self.folder, id)).collect()
    }

    pub(super) fn folder_of(&self, id: RunId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    /// Journals what is about to change, with what was there.
    pub(super) fn begin(
        &self,
        staged: &[(Staged, Option<PathBuf>)],
        of: Option<RunId>,
        key: &Key,
    ) -> io::Result<Run> {
        let last = numbers(&self.folder).last().copied().unwrap_or_default();
        let id = RunId(last.0 + 1);
        let targets = staged.iter().map(|(staged, lock)| target(staged, lock.clone())).collect();
        let run = Run {
            schema: "precedent.run/1".to_owned(),
            run: id,
            at: seconds(),
            verb: self.verb.clone(),
            of,
            targets,
        };
        let folder = self.folder_of(id);
        let journaled = self.journal(&folder, &run, staged, key);
        if journaled.is_err() {
            remove(&folder);
        }
        journaled.map(|()| run)
    }

    fn journal(
        &self,
        folder: &Path,
        run: &Run,
        staged: &[(Staged, Option<PathBuf>)],
        key: &Key,
    ) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)?;
        for (index, ((staged, _), target)) in staged.iter().zip(&run.targets).enumerate() {
            let keep = |what: &str, bytes: &[u8]| {
                let sealed = key.seal(&purpose(run.run, what, target), bytes)?;
                write(&folder.join(format!("{index}.{what}")), &sealed)
            };
            keep("old", &staged.original.bytes)?;
            if target.in_place {
                keep("new", &staged.new)?;
            }
        }
        let intent = folder.join(RunState::Begun.file());
        let unnamed = intent.with_extension("new");
        write(&unnamed, &serde_json::to_vec_pretty(run)?)?;
        rename(&unnamed, &intent)?;
        sync_folder(&intent)?;
        sync_folder(folder)
    }

    /// What a run kept of a target: `old` or `new`. None where it is gone, or not what it was.
    pub(super) fn kept(
        &self,
        run: &Run,
        index: usize,
        what: &str,
        key: &Key,
    ) -> Option<Zeroizing<Vec<u8>>> {
        let target = run.targets.get(index)?;
        let path = self.folder_of(run.run).join(format!("{index}.{what}"));
        key.unseal(&purpose(run.run, what, target), &fs::read(path).ok()?)
    }

    /// Says how far a run came. What it kept of a run that has come to nothing is removed.
    pub(super) fn mark(&self, run: &Run, from: RunState, to: RunState) -> io::Result<()> {
        let folder = self.folder_of(run.run);
        rename(&folder.join(from.file()), &folder.join(to.file()))?;
        sync_folder(&folder.join(to.file()))?;
        if to == RunState::Undone {
            remove_kept(&folder);
        }
        self.prune();
        Ok(())
    }

    /// Removes what is older than is kept, or more. A clock that went back makes nothing old; the
    /// order is that of the numbers.
    fn prune(&self) {
        let runs = self.all();
        let now = seconds();
        let newest = runs.last().map(|(run, _)| run.run);
        for (age, (run, state)) in runs.iter().rev().enumerate() {
            let days = now.saturating_sub(run.at) / (24 * 3600);
            if *state == RunState::Begun || (age < self.keep.runs && days < self.keep.days) {
                continue;
            }
            let folder = self.folder_of(run.run);
            if Some(run.run) == newest {
                // Its number must not be given twice.
                remove_kept(&folder);
            } else {
                remove(&folder);
            }
        }
    }

    /// A run that began, and whose intent cannot be read.
    pub(super) fn unreadable(&self) -> Option<RunId> {
        numbers(&self.folder).into_iter().find(|id| {
            let begun = self.folder_of(*id).join(RunState::Begun.file()).exists();
            begun && read(&self.folder, *id).is_none()
        })
    }

    /// Removes the folders of runs that were killed before they had begun.
    pub(super) fn sweep(&self) {
        for id in numbers(&self.folder) {
            let folder = self.folder_of(id);
            if !RunState::ALL.iter().any(|state| folder.join(state.file()).exists()) {
                remove(&folder);
            }
        }
    }
}

fn target(staged: &Staged, lock: Option<PathBuf>) -> RunTarget {
    let original = &staged.original;
    RunTarget {
        path: original.path.clone(),
        real: original.real.clone(),
        lock,
        old: original.digest.clone(),
        new: staged.digest.clone(),
        mode: original.attributes.mode,
        access_list: original.attributes.access_list().map(crate::secret::hex),
        in_place: original.in_place,
        temporary: staged.temporary().map(Path::to_owned),
    }
}

/// What a backup is bound to: one that is moved to another run, or whose target is changed by hand,
/// does not open.
fn purpose(run: RunId, what: &str, target: &RunTarget) -> Vec<u8> {
    serde_json::to_vec(&("backup", run, what, target)).unwrap_or_default()
}

/// The numbers of the runs in a folder, in order.
fn numbers(folder: &Path) -> Vec<RunId> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut numbers: Vec<RunId> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

fn read(folder: &Path, id: RunId) -> Option<(Run, RunState)> {
    let folder = folder.join(id.to_string());
    RunState::ALL.into_iter().find_map(|state| {
        let bytes = fs::read(folder.join(state.file())).ok()?;
        let run: Run = serde_json::from_slice(&bytes).ok()?;
        (run.run == id).then_some((run, state))
    })
}

fn holder(path: &Path) -> String {
    let holder: Option<Holder> =
        fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
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

#[allow(clippy::disallowed_methods, reason = "the runs are this host's own")]
fn open_lock(folder: &Path, path: &Path) -> io::Result<File> {
    make_ours(folder)?;
    File::options().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

#[allow(clippy::disallowed_methods, reason = "the runs are this host's own")]
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[allow(clippy::disallowed_methods, reason = "the runs are this host's own")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)
}

/// Removes a run. What cannot be removed now is at the next run.
fn remove(folder: &Path) {
    let _ = fs::remove_dir_all(folder);
}

/// Removes what a run kept of the files, and not that it was.
#[allow(clippy::disallowed_methods, reason = "the runs are this host's own")]
fn remove_kept(folder: &Path) {
    let is_kept = |path: &Path| path.extension().is_some_and(|end| end == "old" || end == "new");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()).filter(|path| is_kept(path)) {
        let _ = fs::remove_file(path);
    }
}

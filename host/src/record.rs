//! What this host keeps: its key, and the journal of its runs.
//!
//! Both are under one folder, by default `$XDG_STATE_HOME/precedent`, with what runs need to be mended
//! and taken back ([`crate::apply::Runs`]). The journal is one JSON
//! document a line, a line a run, a file a deployment. It holds fingerprints, never secrets.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{
    apply::{Outcome, Recovery, sync_folder},
    check::Violation,
    model::{Decision, Phase, Refusal, Snapshot},
    observe::{
        ReadError,
        file::{self, Opened},
    },
    plan::Plan,
    secret::{Key, hex},
};

/// The key or the journal could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {action} {}: {reason}", path.display())]
pub struct RecordError {
    /// What was tried.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// Why it failed.
    pub reason: String,
}

/// One run.
#[derive(Debug, Serialize)]
pub struct Record<'r> {
    /// `precedent.record/1`
    pub schema: &'static str,
    /// When it ran, in seconds since 1970.
    pub at: u64,
    /// The verb of the command line, or the name that an embedding program gives.
    pub verb: &'r str,
    /// Name of the deployment.
    pub deployment: &'r str,
    /// Why the host asked.
    pub phase: Phase,
    /// Digests of what went in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digests: Option<Digests>,
    /// What was seen; none where the run failed before it looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<&'r Snapshot>,
    /// What was decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<&'r Decision>,
    /// The policy's no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<&'r Refusal>,
    /// The host rules that the decision broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub violations: Option<&'r [Violation]>,
    /// What was planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<&'r Plan>,
    /// What became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<&'r Outcome>,
    /// How a run that was killed was mended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery: Option<&'r Recovery>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl<'r> Record<'r> {
    /// A run of which nothing is known yet but what was asked for.
    #[must_use]
    pub fn begun(at: u64, verb: &'r str, deployment: &'r str, phase: Phase) -> Self {
        Self {
            schema: "precedent.record/1",
            at,
            verb,
            deployment,
            phase,
            digests: None,
            snapshot: None,
            decision: None,
            refusal: None,
            violations: None,
            plan: None,
            outcome: None,
            recovery: None,
            error: None,
        }
    }
}

/// Digests of what went into a decision, each `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Digests {
    /// The snapshot. Stable over runs of one installation, for fingerprints are keyed.
    pub snapshot: String,
    /// The policy's component.
    pub policy: String,
    /// The settings.
    pub settings: String,
}

impl Digests {
    /// Digests of a snapshot, with the settings in it, and of a policy.
    #[must_use]
    pub fn of(snapshot: &Snapshot, policy: &str) -> Self {
        let digest = |json: &[u8]| format!("sha256:{}", hex(&Sha256::digest(json)));
        Self {
            snapshot: digest(&serde_json::to_vec(snapshot).unwrap_or_default()),
            policy: policy.to_owned(),
            settings: digest(snapshot.settings.to_string().as_bytes()),
        }
    }
}

/// The folder of this host.
#[derive(Debug, Clone)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// A folder, which need not exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The installation's key; made at the first call.
    ///
    /// # Errors
    ///
    /// Where it can neither be read nor made.
    pub fn key(&self) -> Result<Key, RecordError> {
        let path = self.0.join("key");
        if let Ok(metadata) = std::fs::metadata(&self.0) {
            is_ours(&metadata).map_err(|error| failed("use", &self.0, &error))?;
        }
        if let Some(key) = read_key(&path)? {
            return Ok(key);
        }
        let key = Key::generate().map_err(|error| failed("make", &path, &error))?;
        match self.store_key(&path, &key) {
            Ok(()) => Ok(key),
            // Another run made one in the meantime; it is the one that counts.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => read_key(&path)?
                .ok_or_else(|| failed("read", &path, &io::Error::other("it is empty"))),
            Err(error) => Err(failed("write", &path, &error)),
        }
    }

    /// Who else may read the key, and the remedy; none where it is this user's alone. With it one can
    /// try guesses against the journal, and make compiled policies that pass for ours.
    #[must_use]
    pub fn shared_key(&self) -> Option<String> {
        let path = self.0.join("key");
        let mode = std::fs::metadata(&path).ok()?.permissions().mode() & 0o7777;
        (mode & 0o077 != 0).then(|| {
            let path = path.display();
            format!("others have access to the key {path} (mode {mode:04o}); run `chmod 600 {path}`, or remove it and a new one is made (what was kept for rollback goes with it)")
        })
    }

    #[allow(clippy::disallowed_methods, reason = "the key is this host's own")]
    fn store_key(&self, path: &Path, key: &Key) -> io::Result<()> {
        self.make()?;
        let mut file = tempfile::NamedTempFile::new_in(&self.0)?;
        file.write_all(key.bytes())?;
        file.as_file().sync_all()?;
        file.persist_noclobber(path).map_err(|error| error.error)?;
        // What is sealed with it must not outlive it.
        sync_folder(path)
    }

    /// Where something of a deployment's is.
    pub(crate) fn of(&self, what: &str, deployment: &str) -> PathBuf {
        self.0.join(format!("{what}-{}", file_name(deployment)))
    }

    /// Makes the folder, unless it is there.
    pub(crate) fn make(&self) -> io::Result<()> {
        make_ours(&self.0)
    }

    /// Appends a run to its deployment's journal. Returns the journal's path.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    pub fn append(&self, record: &Record<'_>) -> Result<PathBuf, RecordError> {
        let mut path = self.of("journal", record.deployment).into_os_string();
        path.push(".jsonl");
        let path = PathBuf::from(path);
        let append = || -> io::Result<()> {
            self.make()?;
            let mut line = serde_json::to_vec(record)?;
            line.push(b'\n');
            let mut file = open_journal(&path)?;
            // One write, so that two runs at once do not mix their lines.
            file.write_all(&line)?;
            file.sync_data()
        };
        append().map_err(|error| failed("write", &path, &error))?;
        Ok(path)
    }
}

#[allow(clippy::disallowed_methods, reason = "the journal is this host's own")]
fn open_journal(path: &Path) -> io::Result<File> {
    // Not waiting for somebody to read a FIFO that stands in its place.
    // Nor writing to another file by a link.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let mut options = OpenOptions::new();
    let options = options.append(true).create(true).mode(0o600).custom_flags(flags);
    let journal = options.open(path)?;
    let metadata = journal.metadata()?;
    if metadata.is_file() && metadata.nlink() == 1 { Ok(journal) } else { Err(not_a_file()) }
}

fn not_a_file() -> io::Error {
    io::Error::other("it is no regular file")
}

fn read_key(path: &Path) -> Result<Option<Key>, RecordError> {
    let unusable = |reason: &str| failed("use", path, &io::Error::other(reason));
    let Opened { metadata, bytes, .. } = match file::open(path) {
        Ok(opened) => opened,
        Err(ReadError::Absent) => return Ok(None),
        Err(ReadError::NotPermitted) => {
            return Err(failed("read", path, &io::ErrorKind::PermissionDenied.into()));
        }
        Err(_) => return Err(failed("read", path, &not_a_file())),
    };
    is_ours(&metadata).map_err(|error| failed("use", path, &error))?;
    if path.is_symlink() {
        return Err(failed("use", path, &not_a_file()));
    }
    match <[u8; 32]>::try_from(bytes.as_slice()) {
        Ok(key) => Ok(Some(Key::new(key))),
        Err(_) => Err(unusable(
            "it is no key of 32 bytes; remove it, and a new one is made (what was kept for rollback, and fingerprints to compare with, go with it)",
        )),
    }
}

fn failed(action: &'static str, path: &Path, error: &io::Error) -> RecordError {
    RecordError { action, path: path.to_owned(), reason: error.to_string() }
}

/// Makes a folder for this user alone, unless it is there. What it holds says what is written back to
/// other files, so one that somebody else filled is not ours. One in which a group, or everybody, may
/// write is, as the volumes of pods are; what is in it has an owner too.
pub(crate) fn make_ours(folder: &Path) -> io::Result<()> {
    if folder.symlink_metadata().is_err() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        sync_folder(folder)?;
    }
    is_ours(&std::fs::metadata(folder)?)
}

/// Whether a folder is one, no link to one, and this user's own.
pub(crate) fn is_our_folder(folder: &Path) -> io::Result<()> {
    let metadata = std::fs::symlink_metadata(folder)?;
    if metadata.is_dir() { is_ours(&metadata) } else { Err(io::Error::other("it is no folder")) }
}

fn is_ours(metadata: &std::fs::Metadata) -> io::Result<()> {
    let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner == me || owner == 0 {
        return Ok(());
    }
    let words = format!(
        "it belongs to another user ({owner}, this is {me}); name another folder with PRECEDENT_STATE_DIR, or give it to this one"
    );
    Err(io::Error::other(words))
}

/// A deployment's name as a file's: letters, digits, `-`, `_` and `.`; never hidden or a path.
fn file_name(deployment: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    deployment.chars().take(100).map(safe).collect()
}

/// Where state is kept when nobody says otherwise: `$PRECEDENT_STATE_DIR`, else
/// `$XDG_STATE_HOME/precedent`, else `~/.local/state/precedent`.
#[must_use]
pub fn default_folder(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    folder(variable, "PRECEDENT_STATE_DIR", "XDG_STATE_HOME", ".local/state")
}

/// Where compiled policies are kept when nobody says otherwise: `$PRECEDENT_CACHE_DIR`, else
/// `$XDG_CACHE_HOME/precedent`, else `~/.cache/precedent`.
#[must_use]
pub fn default_cache(variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    folder(variable, "PRECEDENT_CACHE_DIR", "XDG_CACHE_HOME", ".cache")
}

fn folder(
    variable: &dyn Fn(&str) -> Option<String>,
    own: &str,
    xdg: &str,
    home: &str,
) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(own)
        .or_else(|| set(xdg).filter(|path| path.is_absolute()).map(|path| path.join("precedent")))
        .or_else(|| set("HOME").map(|path| path.join(home).join("precedent")))
}

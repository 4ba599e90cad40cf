//! What was told of a deployment's problems, and when: so that each is told once.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::{RecordError, StateFolder, failed, not_a_file, ours::is_ours};
use crate::{
    apply::sync_folder,
    observe::{
        ReadError,
        file::{self, Opened},
    },
};

/// What the file says it is.
const SCHEMA: &str = "precedent.alerts/1";

/// What was told of a deployment, by the name of the alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Told {
    /// `precedent.alerts/1`
    pub schema: String,
    /// What each alert was told; one that has nothing to tell is left out.
    pub alerts: BTreeMap<String, Telling>,
}

impl Default for Told {
    fn default() -> Self {
        Self { schema: SCHEMA.to_owned(), alerts: BTreeMap::new() }
    }
}

/// What one alert was told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telling {
    /// When it began, in seconds since 1970.
    pub since: u64,
    /// When it was told last; none where nothing could be delivered yet.
    pub at: Option<u64>,
    /// The keys of the problems that were told.
    pub problems: BTreeSet<String>,
}

/// What was told, while no other run has it.
#[derive(Debug)]
pub struct ToldFile {
    path: PathBuf,
    /// None on a file system that knows no locks.
    _lock: Option<File>,
}

impl StateFolder {
    /// Takes what was told of a deployment for this run alone; none while another run has it.
    ///
    /// # Errors
    ///
    /// Where the folder cannot be written, or what stands there is not this user's.
    pub fn told(&self, deployment: &str) -> Result<Option<ToldFile>, RecordError> {
        let path = with_end(&self.of("alerts", deployment), ".json");
        let lock = with_end(&self.of("alerts", deployment), ".lock");
        let open = || -> io::Result<File> {
            self.make()?;
            open_lock(&lock)
        };
        let file = open().map_err(|error| failed("write", &lock, &error))?;
        let held = match file.try_lock() {
            Ok(()) => Some(file),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(_)) => None,
        };
        Ok(Some(ToldFile { path, _lock: held }))
    }
}

impl ToldFile {
    /// What was told: nothing yet, the first time. What cannot be used is put aside, and said.
    #[must_use]
    pub fn read(&self) -> (Told, Option<RecordError>) {
        match self.decode() {
            Ok(told) => (told, None),
            Err(error) => {
                let aside = with_end(&self.path, ".damaged");
                let became = match rename(&self.path, &aside) {
                    Ok(()) => format!("it is put aside as {}", aside.display()),
                    Err(error) => format!("nor can it be put aside: {error}"),
                };
                let reason = format!("{error}; {became}, and what was told is told again");
                (Told::default(), Some(failed("use", &self.path, &io::Error::other(reason))))
            }
        }
    }

    fn decode(&self) -> io::Result<Told> {
        let Opened { metadata, bytes, .. } = match file::open(&self.path) {
            Ok(opened) => opened,
            Err(ReadError::Absent) => return Ok(Told::default()),
            Err(ReadError::NotPermitted) => return Err(io::ErrorKind::PermissionDenied.into()),
            Err(_) => return Err(not_a_file()),
        };
        is_ours(&metadata)?;
        let told: Option<Told> = serde_json::from_slice(&bytes).ok();
        told.filter(|told| told.schema == SCHEMA)
            .ok_or_else(|| io::Error::other("it is not what was written"))
    }

    /// Keeps what was told, whole or not at all.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    #[allow(clippy::disallowed_methods, reason = "what was told is this host's own")]
    pub fn write(&self, told: &Told) -> Result<(), RecordError> {
        let write = || -> io::Result<()> {
            let folder = self.path.parent().unwrap_or(Path::new("."));
            // Of mode 0600, as all that is made so.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&serde_json::to_vec_pretty(told)?)?;
            file.as_file().sync_all()?;
            file.persist(&self.path).map_err(|error| error.error)?;
            sync_folder(&self.path)
        };
        write().map_err(|error| failed("write", &self.path, &error))
    }
}

fn with_end(path: &Path, end: impl AsRef<OsStr>) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(end);
    path.into()
}

#[allow(clippy::disallowed_methods, reason = "what was told is this host's own")]
fn open_lock(path: &Path) -> io::Result<File> {
    // Not waiting for a FIFO that stands in its place, nor by a link to another file.
    let flags = (OFlags::NONBLOCK | OFlags::NOFOLLOW).bits().cast_signed();
    let mut options = OpenOptions::new();
    let options = options.read(true).append(true).create(true).mode(0o600).custom_flags(flags);
    let lock = options.open(path)?;
    let metadata = lock.metadata()?;
    if !metadata.is_file() {
        return Err(not_a_file());
    }
    is_ours(&metadata)?;
    Ok(lock)
}

#[allow(clippy::disallowed_methods, reason = "what was told is this host's own")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

//! What a node keeps of the fleet on its disk: what it follows, how it stands, and the key that the fleet shares.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use serde::{Serialize, de::DeserializeOwned};
use zeroize::Zeroizing;

use super::{Assignment, FleetError, Roster, signed};
use crate::{
    apply::sync_folder,
    config::{Deployment, path_of},
    observe::{ReadError, World, file},
    record::{RecordError, StateFolder, is_our_folder, make_ours},
    secret::{Key, hex, unhex},
};

/// What a file of the fleet's key says it is.
const TITLE: &str = "precedent.fleet-key/1";

/// What a node keeps of one fleet.
#[derive(Debug, Clone)]
pub struct FleetFolder {
    folder: PathBuf,
}

impl FleetFolder {
    /// That of a fleet, in the folder of the node's state.
    #[must_use]
    pub fn of(state: &StateFolder, fleet: &str) -> Self {
        Self { folder: state.path().join(format!("fleet-{fleet}")) }
    }

    /// The number below which this node follows nothing, and the assignment that it follows; none yet, the first
    /// time. The number is this node's own memory; the assignment is believed by its signature, as it was when it
    /// came: whoever decided it may lead no more.
    ///
    /// # Errors
    ///
    /// Where what is kept cannot be read, or is not what was kept: then it is not known what must not be
    /// followed any more.
    pub(super) fn followed(
        &self,
        roster: &Roster,
    ) -> Result<(u64, Option<Assignment>), FleetError> {
        let path = self.folder.join("assignment");
        let Some(bytes) = self.read(&path)? else { return Ok((0, None)) };
        let text = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let kept: Assignment = serde_json::from_slice(text).map_err(|_| {
            let reason = "it is not what was kept; remove it to follow whatever is assigned next, also if that is older than what was";
            failed("use", &path, &io::Error::other(reason))
        })?;
        let is_believed = signed::read::<Assignment>(roster, &bytes).is_ok()
            && roster.may_lead(&kept.leader)
            && kept.node == roster.me();
        Ok((kept.generation, is_believed.then_some(kept)))
    }

    /// Sees to it that one agent of this node runs, for as long as what it gives is kept.
    ///
    /// # Errors
    ///
    /// Where another one does.
    #[allow(clippy::disallowed_methods, reason = "what is kept of the fleet is this host's own")]
    pub(super) fn lock(&self) -> Result<Option<File>, FleetError> {
        let path = self.folder.join("agent.lock");
        let open = || -> io::Result<File> {
            make_ours(&self.folder)?;
            is_our_folder(&self.folder)?;
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600);
            options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(&path)
        };
        let file = open().map_err(|error| failed("write", &path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(FleetError::AgentRuns(path)),
            // On a file system that knows no locks.
            Err(TryLockError::Error(_)) => Ok(None),
        }
    }

    pub(super) fn keep_assignment(&self, bytes: &[u8]) -> Result<(), RecordError> {
        self.write("assignment", bytes)
    }

    /// What was kept under a name; none where nothing was, or another version kept it.
    pub(super) fn kept<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, RecordError> {
        let bytes = self.read(&self.folder.join(name))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    pub(super) fn keep<T: Serialize>(&self, name: &str, value: &T) -> Result<(), RecordError> {
        self.write(name, &serde_json::to_vec_pretty(value).unwrap_or_default())
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, RecordError> {
        match is_our_folder(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("use", &self.folder, &error)),
            Ok(()) => {}
        }
        match file::open(path) {
            Ok(opened) => Ok(Some(opened.bytes.to_vec())),
            Err(ReadError::Absent) => Ok(None),
            Err(error) => Err(failed("read", path, &io::Error::other(format!("{error:?}")))),
        }
    }

    /// Whole or not at all, and on the disk before it is gone by.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RecordError> {
        let path = self.folder.join(name);
        let write = || -> io::Result<()> {
            make_ours(&self.folder)?;
            is_our_folder(&self.folder)?;
            put(&path, bytes, true)
        };
        write().map_err(|error| failed("write", &path, &error))
    }
}

#[allow(clippy::disallowed_methods, reason = "what is kept of the fleet is this host's own")]
fn put(path: &Path, bytes: &[u8], over: bool) -> io::Result<()> {
    // A bare name has no folder to be looked up in.
    let path = &std::path::absolute(path)?;
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    // Of mode 0600, as all that is made so.
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    if over {
        file.persist(path).map_err(|error| error.error)?;
    } else {
        file.persist_noclobber(path).map_err(|error| error.error)?;
    }
    sync_folder(path)
}

fn failed(action: &'static str, path: &Path, error: &io::Error) -> RecordError {
    RecordError { action, path: path.to_owned(), reason: error.to_string() }
}

/// The key for fingerprints of a deployment's fleet.
///
/// # Errors
///
/// Where it has no fleet, and those of [`read_fleet_key`].
pub fn fleet_key(deployment: &Deployment, world: &dyn World) -> Result<Key, FleetError> {
    let spec = deployment.fleet.as_ref().ok_or(FleetError::NoFleet)?;
    let path =
        path_of(&spec.fingerprint_key, deployment, world).ok_or_else(|| FleetError::Key {
            path: PathBuf::from("fingerprint-key"),
            reason: "its path in the manifest has a variable that is not set".to_owned(),
        })?;
    read_fleet_key(&path)
}

/// The key for fingerprints that all nodes of a fleet share, from its file.
///
/// # Errors
///
/// Where there is none, others can read it, or it is no such key.
pub fn read_fleet_key(path: &Path) -> Result<Key, FleetError> {
    let unusable = |reason: String| FleetError::Key { path: path.to_owned(), reason };
    let opened = file::open(path).map_err(|error| match error {
        ReadError::Absent => unusable(
            "there is none; make it once with `precedent fleet key FILE`, and copy it to every node".to_owned(),
        ),
        ReadError::NotPermitted => unusable("this user may not read it".to_owned()),
        other => unusable(format!("it is no file that can be read ({other:?})")),
    })?;
    let mode = opened.metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(unusable(format!(
            "others have access to it (mode {mode:04o}); run `chmod 600 {}`",
            path.display()
        )));
    }
    let text = std::str::from_utf8(&opened.bytes).ok().and_then(|text| {
        let mut lines = text.lines();
        let key = (lines.next() == Some(TITLE)).then(|| lines.next()).flatten()?;
        unhex(key.trim()).map(Zeroizing::new)
    });
    let bytes = text.and_then(|bytes| <[u8; 32]>::try_from(bytes.as_slice()).ok());
    bytes.map(Key::new).ok_or_else(|| {
        unusable("it is no key of a fleet; `precedent fleet key FILE` makes one".to_owned())
    })
}

/// Makes a key for fingerprints, and writes it where nothing is.
///
/// # Errors
///
/// Where something is there already, or it cannot be written.
pub fn write_fleet_key(path: &Path) -> Result<(), FleetError> {
    let key = Key::generate()?;
    let text = Zeroizing::new(format!("{TITLE}\n{}\n", Zeroizing::new(hex(key.bytes())).as_str()));
    put(path, text.as_bytes(), false).map_err(|error| {
        let reason = match error.kind() {
            io::ErrorKind::AlreadyExists => {
                "something is there already; the nodes that share it would not be understood any more by a new one".to_owned()
            }
            _ => error.to_string(),
        };
        FleetError::Key { path: path.to_owned(), reason }
    })
}

/// Tells a key from others, and nothing else of it.
pub(super) fn told_by(key: &Key) -> String {
    hex(&key.mac("told by", b"fleet")).chars().take(16).collect()
}

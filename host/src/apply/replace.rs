//! One file in place of another: complete and on disk before it is visible, and never in between.

use std::{
    fs::{self, File, Metadata, Permissions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::ApplyFault;
use crate::secret::{Digest, Key};

/// A file as it was planned on.
pub(super) struct Original {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    metadata: Metadata,
    /// Where the links lead.
    real: PathBuf,
}

/// The new file beside the old one, on disk, under a temporary name that goes with it.
pub(super) struct Staged {
    file: NamedTempFile,
    new: Zeroizing<Vec<u8>>,
    old: Original,
}

/// A file that took its place.
pub(super) struct Committed {
    old: Original,
    new: Zeroizing<Vec<u8>>,
}

impl Original {
    /// Opens the target, if it still is what was planned on.
    pub(super) fn open(path: &Path, digest: &Digest, key: &Key) -> Result<Self, ApplyFault> {
        let moved = || ApplyFault::Moved { path: path.to_owned() };
        let real = path.canonicalize().map_err(|_| moved())?;
        let metadata = fs::metadata(&real).map_err(|_| moved())?;
        if !metadata.is_file() {
            return Err(moved());
        }
        let bytes = Zeroizing::new(fs::read(&real).map_err(|_| moved())?);
        if key.digest(&bytes) != *digest {
            return Err(moved());
        }
        Ok(Self { bytes, metadata, real })
    }

    /// Writes the new bytes beside the original, with its owner, and its mode but for others'
    /// access where a secret goes in.
    pub(super) fn stage(
        self,
        new: Zeroizing<Vec<u8>>,
        secret: bool,
        path: &Path,
    ) -> Result<Staged, ApplyFault> {
        if let Some(folder) = self.real.parent() {
            sweep(folder);
        }
        let file = temporary(&self.real, &self.metadata, &new, secret)
            .map_err(|error| write_fault(path, &error))?;
        Ok(Staged { file, new, old: self })
    }
}

impl Staged {
    /// Takes the original's place, if that still is what was planned on, and reads it back.
    pub(super) fn commit(
        self,
        path: &Path,
        digest: &Digest,
        key: &Key,
    ) -> Result<Committed, ApplyFault> {
        let still = Original::open(path, digest, key)?;
        if still.real != self.old.real {
            return Err(ApplyFault::Moved { path: path.to_owned() });
        }
        self.file.persist(&self.old.real).map_err(|error| write_fault(path, &error.error))?;
        let done = Committed { old: self.old, new: self.new };
        match done.settle() {
            Ok(()) => Ok(done),
            Err(error) if done.undo() => Err(write_fault(path, &error)),
            Err(error) => {
                Err(ApplyFault::NotPutBack { path: path.to_owned(), reason: error.to_string() })
            }
        }
    }
}

impl Committed {
    /// Makes the change survive a power cut, and reads it back.
    fn settle(&self) -> io::Result<()> {
        sync_folder(&self.old.real)?;
        if self.is_in_place() {
            Ok(())
        } else {
            Err(io::Error::other("it does not read back as it was written"))
        }
    }

    fn is_in_place(&self) -> bool {
        fs::read(&self.old.real).map(Zeroizing::new).is_ok_and(|read| *read == *self.new)
    }

    /// Puts the original back, unless somebody else has written since. Returns whether it is back.
    pub(super) fn undo(&self) -> bool {
        let old = &self.old;
        let back = self.is_in_place()
            && temporary(&old.real, &old.metadata, &old.bytes, false)
                .and_then(|file| file.persist(&old.real).map_err(|error| error.error))
                .is_ok();
        // It is back all the same if the folder cannot be synchronised.
        let _ = sync_folder(&old.real);
        back
    }
}

/// What the temporary files are named by.
const PREFIX: &str = ".precedent-";

/// Removes what a killed run left in the folder: a file of ours that nobody holds a lock on. It may
/// hold a secret.
#[allow(clippy::disallowed_methods, reason = "this is the stage that writes")]
fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "this is the stage that writes")]
fn temporary(
    real: &Path,
    like: &Metadata,
    bytes: &[u8],
    secret: bool,
) -> io::Result<NamedTempFile> {
    let folder = real.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
    // Made with mode 0600, so that what is in it is nobody else's even for an instant.
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?;
    // Held until the file has its name, or the process is gone: see `sweep`.
    file.as_file().lock()?;
    file.write_all(bytes)?;
    let made = file.as_file().metadata()?;
    if (made.uid(), made.gid()) != (like.uid(), like.gid()) {
        fchown(file.as_file(), Some(like.uid()), Some(like.gid())).map_err(|error| {
            io::Error::new(error.kind(), format!("its owner cannot be kept: {error}"))
        })?;
    }
    let mode = like.permissions().mode() & 0o7777;
    let mode = if secret { mode & 0o600 } else { mode };
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes the new name survive a power cut.
fn sync_folder(real: &Path) -> io::Result<()> {
    match real.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn write_fault(path: &Path, error: &io::Error) -> ApplyFault {
    ApplyFault::Write { path: path.to_owned(), reason: error.to_string() }
}

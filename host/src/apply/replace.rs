//! One file in place of another: complete and on disk before it is visible, and never in between.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::{
    ApplyFault,
    attributes::Attributes,
    exchange::{PutError, put},
};
use crate::{
    observe::{
        ReadError,
        file::{Opened, is_mount, open},
    },
    secret::{Digest, Key},
};

/// A file as it was planned on.
pub(super) struct Original {
    /// The path as the deployment names it.
    pub(super) path: PathBuf,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    pub(super) digest: Digest,
    pub(super) attributes: Attributes,
    /// Where the links lead.
    pub(super) real: PathBuf,
    /// Nothing can take its place, for it is a mount of its own: it is written to as it is.
    pub(super) in_place: bool,
    pub(super) file: File,
}

/// The new bytes, on disk beside the old ones where something can take their place.
pub(super) struct Staged {
    pub(super) original: Original,
    pub(super) new: Zeroizing<Vec<u8>>,
    pub(super) digest: Digest,
    attributes: Attributes,
    file: Option<NamedTempFile>,
}

/// A file that was changed.
pub(super) struct Committed {
    original: Original,
    new: Zeroizing<Vec<u8>>,
    digest: Digest,
}

impl Original {
    /// Opens the target, if it still is what was planned on.
    pub(super) fn open(path: &Path, digest: &Digest, key: &Key) -> Result<Self, ApplyFault> {
        let moved = || ApplyFault::Moved { path: path.to_owned() };
        let real = path.canonicalize().map_err(|_| moved())?;
        let Opened { file, bytes, .. } = open(&real).map_err(|error| match error {
            ReadError::NotPermitted | ReadError::Failed => ApplyFault::Write {
                path: path.to_owned(),
                reason: "it cannot be read any more".to_owned(),
            },
            _ => moved(),
        })?;
        if key.digest(&bytes) != *digest {
            return Err(moved());
        }
        let attributes = Attributes::of(&file).map_err(|error| write_fault(path, &error))?;
        Ok(Self {
            path: path.to_owned(),
            bytes,
            digest: digest.clone(),
            attributes,
            real,
            in_place: is_mount(&file),
            file,
        })
    }

    /// Makes the new bytes ready, with the attributes that they are to have.
    pub(super) fn stage(
        self,
        new: Zeroizing<Vec<u8>>,
        attributes: Attributes,
        key: &Key,
    ) -> Result<Staged, ApplyFault> {
        let file = if self.in_place {
            None
        } else {
            if let Some(folder) = self.real.parent() {
                sweep(folder);
            }
            let file = temporary(&self.real, &attributes, &new);
            Some(file.map_err(|error| write_fault(&self.path, &error))?)
        };
        Ok(Staged { digest: key.digest(&new), original: self, new, attributes, file })
    }
}

impl Staged {
    /// The name of the new file until it takes the old one's place.
    pub(super) fn temporary(&self) -> Option<&Path> {
        self.file.as_ref().map(NamedTempFile::path)
    }

    /// Takes the original's place, if that still is what was planned on, and reads it back.
    pub(super) fn commit(self, key: &Key) -> Result<Committed, ApplyFault> {
        let Self { original, new, digest, attributes, file } = self;
        let path = original.path.clone();
        let still = Original::open(&path, &original.digest, key)?;
        if still.real != original.real {
            return Err(ApplyFault::Moved { path });
        }
        let written = match file {
            Some(file) => put(file, &still, key),
            None => overwrite(&original.real, &new, &attributes).map_err(PutError::HalfWay),
        };
        let done = Committed { original, new, digest };
        let error = match written {
            Ok(()) => match done.settle(key) {
                Ok(()) => return Ok(done),
                Err(error) => error,
            },
            Err(PutError::Moved) => return Err(ApplyFault::Moved { path }),
            // It never took the place of anything.
            Err(PutError::Nothing(error)) => return Err(write_fault(&path, &error)),
            Err(PutError::Stuck { theirs, error }) => {
                let theirs = theirs.display();
                let reason =
                    format!("somebody else's, which is now {theirs}, was in its place ({error})");
                return Err(ApplyFault::NotPutBack { path, reason });
            }
            Err(PutError::HalfWay(error)) => error,
        };
        if done.undo(key) {
            Err(write_fault(&path, &error))
        } else if done.is_ours() {
            Err(ApplyFault::NotPutBack { path, reason: error.to_string() })
        } else {
            // Somebody wrote right after us, and what they wrote stays.
            Err(ApplyFault::Moved { path })
        }
    }
}

impl Committed {
    /// Makes the change survive a power cut, and reads it back.
    fn settle(&self, key: &Key) -> io::Result<()> {
        sync_folder(&self.original.real)?;
        let read = open(&self.original.real);
        if read.is_ok_and(|read| key.digest(&read.bytes) == self.digest) {
            Ok(())
        } else {
            Err(io::Error::other("it does not read back as it was written"))
        }
    }

    /// Whether what stands there is what we wrote, all of it or a part.
    fn is_ours(&self) -> bool {
        let Original { real, bytes: old, in_place, .. } = &self.original;
        open(real).is_ok_and(|read| {
            *read.bytes == *self.new || *in_place && is_torn(&read.bytes, old, &self.new)
        })
    }

    /// Puts the original back, unless somebody else has written since. Returns whether it is back.
    pub(super) fn undo(&self, key: &Key) -> bool {
        let Original { real, bytes, attributes, in_place, .. } = &self.original;
        if *in_place {
            return self.is_ours() && overwrite(real, bytes, attributes).is_ok();
        }
        put_back(real, &self.digest, bytes, |_| attributes.clone(), key).is_ok()
    }
}

/// Puts bytes back in place of those with a digest. `attributes` makes what the file is to have from
/// what it has.
pub(super) fn put_back(
    real: &Path,
    digest: &Digest,
    bytes: &[u8],
    attributes: impl FnOnce(Attributes) -> Attributes,
    key: &Key,
) -> Result<(), ApplyFault> {
    let now = Original::open(real, digest, key)?;
    let attributes = attributes(now.attributes.clone());
    let staged = now.stage(Zeroizing::new(bytes.to_vec()), attributes, key)?;
    let Some(file) = staged.file else {
        return overwrite(real, bytes, &staged.attributes).map_err(|e| write_fault(real, &e));
    };
    put(file, &staged.original, key)
        .map_err(|error| ApplyFault::Write { path: real.to_owned(), reason: error.to_string() })?;
    // It is back all the same if the folder cannot be synchronised.
    let _ = sync_folder(real);
    Ok(())
}

/// Writes over the bytes of a file that nothing can take the place of. Readers may see it half
/// written; the backup and the journaled intent are what mends it after a kill.
#[allow(clippy::disallowed_methods, reason = "this is the stage that writes")]
pub(super) fn overwrite(real: &Path, bytes: &[u8], attributes: &Attributes) -> io::Result<()> {
    let mut file = File::options().write(true).open(real)?;
    // Before the secret is in it; what is no wider than it was needs no right to change it.
    if Attributes::of(&file)? != *attributes {
        attributes.give(&file)?;
    }
    // Room for all of it first, so that a full disk is met before a byte has changed; a file system
    // that cannot keep room is asked without.
    #[cfg(target_os = "linux")]
    if !bytes.is_empty() {
        use rustix::{fs::FallocateFlags, io::Errno};
        let room = rustix::fs::fallocate(&file, FallocateFlags::KEEP_SIZE, 0, bytes.len() as u64);
        if let Err(error @ (Errno::NOSPC | Errno::DQUOT)) = room {
            return Err(error.into());
        }
    }
    file.seek(SeekFrom::Start(0))?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

/// Whether bytes are what a kill, or a power cut, leaves of an overwriting: each of them the new one or
/// the old one of its place, for pages reach the disk in any order.
pub(super) fn is_torn(bytes: &[u8], old: &[u8], new: &[u8]) -> bool {
    let (shorter, longer) = (old.len().min(new.len()), old.len().max(new.len()));
    let is_either = |(at, byte): (usize, &u8)| {
        [old.get(at), new.get(at)].into_iter().flatten().any(|known| known == byte)
    };
    (shorter..=longer).contains(&bytes.len()) && bytes.iter().enumerate().all(is_either)
}

/// What the temporary files are named by.
pub(super) const PREFIX: &str = ".precedent-";

/// Removes what a killed run left in the folder: a file of ours that nobody holds a lock on. It may
/// hold a secret.
#[allow(clippy::disallowed_methods, reason = "this is the stage that writes")]
pub(super) fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        // For writing, as some file systems want it for a lock; no link, and no waiting for a pipe.
        let mut options = File::options();
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let opened = options.write(true).custom_flags(flags).open(entry.path());
        // The lock is kept until the name is gone: see `temporary`.
        if let Ok(file) = opened
            && file.metadata().is_ok_and(|metadata| metadata.is_file())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A file beside another, complete and on disk.
fn temporary(real: &Path, attributes: &Attributes, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let folder = real.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
    let mut file = unnamed(folder)?;
    file.write_all(bytes)?;
    attributes.give(file.as_file())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// An empty file of our own, made with mode 0600 so that what will be in it is nobody else's even for
/// an instant, and locked until it has its name or the process is gone: see `sweep`.
#[allow(clippy::disallowed_methods, reason = "this is the stage that writes")]
pub(super) fn unnamed(folder: &Path) -> io::Result<NamedTempFile> {
    let mut tries = 0;
    loop {
        let file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?;
        match file.as_file().lock() {
            // A file system without locks has no other host's sweep to fear but by its clock.
            Err(error) if error.kind() != ErrorKind::Unsupported => return Err(error),
            _ => {}
        }
        // A sweep may have had it between the two.
        let is_there = fs::symlink_metadata(file.path())
            .and_then(|named| Ok(named.ino() == file.as_file().metadata()?.ino()));
        tries += 1;
        if is_there.unwrap_or(false) || tries > 10 {
            return Ok(file);
        }
    }
}

/// Makes a new name in the file's folder survive a power cut, where the file system knows how.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Ok(()) };
    match File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            Ok(())
        }
        synced => synced,
    }
}

fn write_fault(path: &Path, error: &io::Error) -> ApplyFault {
    ApplyFault::Write { path: path.to_owned(), reason: error.to_string() }
}

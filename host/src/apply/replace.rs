//! One file in place of another: complete and on disk before it is visible, and never in between.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::{ApplyFault, attributes::Attributes};
use crate::{
    observe::file::{Opened, is_mount, open},
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
    file: File,
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
        let Opened { file, bytes, .. } = open(&real).map_err(|_| moved())?;
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
            None => overwrite(&original.real, &new, &attributes),
        };
        let done = Committed { original, new, digest };
        let error = match written {
            Ok(()) => match done.settle(key) {
                Ok(()) => return Ok(done),
                Err(error) => error,
            },
            Err(error) if is_moved(&error) => return Err(ApplyFault::Moved { path }),
            // It never took the place of anything.
            Err(error) if !done.original.in_place => return Err(write_fault(&path, &error)),
            Err(error) => error,
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
    put(file, &staged.original, key).map_err(|error| write_fault(real, &error))?;
    // It is back all the same if the folder cannot be synchronised.
    let _ = sync_folder(real);
    Ok(())
}

/// Exchanges the two names in one step, then looks at what came out: what somebody else put there
/// in the last moment goes back in its place, so nothing is ever written over.
fn put(file: NamedTempFile, original: &Original, key: &Key) -> io::Result<()> {
    let real = &original.real;
    // While it has a temporary name, it is nobody's to sweep.
    let _ = original.file.try_lock();
    let exchange = || renameat_with(CWD, file.path(), CWD, real, RenameFlags::EXCHANGE);
    match exchange() {
        Ok(()) => {
            let is_planned =
                open(file.path()).is_ok_and(|old| key.digest(&old.bytes) == original.digest);
            if !is_planned {
                let back = exchange();
                if back.is_err() {
                    // It is somebody's, so it stays, under the name that it has.
                    let _ = file.keep();
                }
                return Err(back.map_or_else(io::Error::from, |()| io::Error::other(Elsewhere)));
            }
            // The old file now has the temporary name, and goes with it; where it cannot, the next
            // run sweeps it away.
            let _ = file.close();
            Ok(())
        }
        // A file system that cannot: the look just before has to do.
        Err(error) if cannot_exchange(error.kind()) => {
            file.persist(real).map(drop).map_err(|error| error.error)
        }
        Err(error) => Err(error.into()),
    }
}

fn cannot_exchange(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::InvalidInput | ErrorKind::Unsupported)
}

/// Says, through an I/O error, that the target is somebody else's now.
#[derive(Debug, thiserror::Error)]
#[error("somebody else wrote it")]
struct Elsewhere;

fn is_moved(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Elsewhere>())
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

/// Whether bytes are what a kill leaves of an overwriting: the new ones up to somewhere, then the
/// old ones.
pub(super) fn is_torn(bytes: &[u8], old: &[u8], new: &[u8]) -> bool {
    let same = bytes.iter().zip(new).take_while(|(a, b)| a == b).count();
    let rest = |all: &[u8]| all.get(same..).map(<[u8]>::to_vec);
    // What follows may agree with the old bytes earlier already.
    rest(bytes).is_some_and(|left| rest(old).unwrap_or_default() == left)
}

/// What the temporary files are named by.
pub(super) const PREFIX: &str = ".precedent-";

/// Removes what a killed run left in the folder: a file of ours that nobody holds a lock on. It may
/// hold a secret.
#[allow(clippy::disallowed_methods, reason = "this is the stage that writes")]
pub(super) fn sweep(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A file beside another, complete and on disk.
#[allow(clippy::disallowed_methods, reason = "this is the stage that writes")]
fn temporary(real: &Path, attributes: &Attributes, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let folder = real.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
    // Made with mode 0600, so that what is in it is nobody else's even for an instant.
    let mut file = tempfile::Builder::new().prefix(PREFIX).tempfile_in(folder)?;
    // Held until the file has its name, or the process is gone: see `sweep`.
    file.as_file().lock()?;
    file.write_all(bytes)?;
    attributes.give(file.as_file())?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes a new name in the file's folder survive a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn write_fault(path: &Path, error: &io::Error) -> ApplyFault {
    ApplyFault::Write { path: path.to_owned(), reason: error.to_string() }
}

//! Two names exchanged in one step, and a look at what came out.

use std::{
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use tempfile::NamedTempFile;

use super::replace::Original;
use crate::{observe::file::open, secret::Key};

/// How often others may write in the time of a system call before we give up.
const MOST: usize = 8;

/// Why a file did not take its place.
#[derive(Debug, thiserror::Error)]
pub(super) enum PutError {
    /// Somebody else wrote it in the last moment, and theirs is there.
    #[error("somebody else wrote it")]
    Moved,
    /// Nothing has changed.
    #[error("{0}")]
    Nothing(io::Error),
    /// A part of it may be there.
    #[error("{0}")]
    HalfWay(io::Error),
    /// Ours is there, and somebody else's, that was, could not go back.
    #[error("somebody else's is now {}: {error}", theirs.display())]
    Stuck { theirs: PathBuf, error: io::Error },
}

/// Puts a file in place of another. What somebody else put there in the last moment goes back, so
/// nothing is ever written over.
pub(super) fn put(file: NamedTempFile, original: &Original, key: &Key) -> Result<(), PutError> {
    let real = &original.real;
    // While it has a temporary name, it is nobody's to sweep.
    let _ = original.file.try_lock();
    let ours = identity_of(file.as_file().metadata());
    match exchange(file.path(), real) {
        Ok(()) => {}
        // A file system that cannot: the look just before has to do.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            return file.persist(real).map(drop).map_err(|error| PutError::Nothing(error.error));
        }
        Err(error) => return Err(PutError::Nothing(error)),
    }
    let came_out = identity(file.path());
    let planned = identity_of(original.file.metadata());
    let is_planned = came_out.is_some()
        && came_out == planned
        && open(file.path()).is_ok_and(|old| key.digest(&old.bytes) == original.digest);
    if is_planned {
        // The old file now has the temporary name, and goes with it; where it cannot, the next run
        // sweeps it away.
        let _ = file.close();
        return Ok(());
    }
    go_back(file, real, ours, came_out)
}

/// Exchanges again until what comes out is what was put in: then what stands there is what somebody
/// wrote last.
fn go_back(
    file: NamedTempFile,
    real: &Path,
    mut put_in: Option<Identity>,
    mut came_out: Option<Identity>,
) -> Result<(), PutError> {
    let mut failed = io::Error::other("others write it all the time");
    for _ in 0..MOST {
        if let Err(error) = exchange(file.path(), real) {
            failed = error;
            break;
        }
        let now = identity(file.path());
        if now.is_some() && now == put_in {
            return Err(PutError::Moved);
        }
        (put_in, came_out) = (came_out, now);
    }
    // It is somebody's, so it stays, under the name that it has; the intent names it.
    let theirs = file.path().to_owned();
    let _ = file.keep();
    Err(PutError::Stuck { theirs, error: failed })
}

pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// Device and number of a file.
type Identity = (u64, u64);

fn identity(path: &Path) -> Option<Identity> {
    identity_of(path.symlink_metadata())
}

fn identity_of(metadata: io::Result<std::fs::Metadata>) -> Option<Identity> {
    metadata.ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

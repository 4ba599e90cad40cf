//! Whose a folder or a file is: what somebody else filled is not ours to use.

use std::{
    fs::{DirBuilder, Metadata},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::Path,
};

use super::{RecordError, failed, not_a_file};
use crate::{
    apply::sync_folder,
    observe::{
        ReadError,
        file::{self, Opened},
    },
};

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

/// Opens a file of the state folder that is no link and this user's own; none where nothing is.
pub(super) fn open_ours(path: &Path) -> Result<Option<Opened>, RecordError> {
    let opened = match file::open(path) {
        Ok(opened) => opened,
        Err(ReadError::Absent) => return Ok(None),
        Err(ReadError::NotPermitted) => {
            return Err(failed("read", path, &io::ErrorKind::PermissionDenied.into()));
        }
        Err(_) => return Err(failed("read", path, &not_a_file())),
    };
    is_ours(&opened.metadata).map_err(|error| failed("use", path, &error))?;
    if path.is_symlink() {
        return Err(failed("use", path, &not_a_file()));
    }
    Ok(Some(opened))
}

/// Whether something is this user's own, or root's.
pub(super) fn is_ours(metadata: &Metadata) -> io::Result<()> {
    let (owner, me) = (metadata.uid(), rustix::process::geteuid().as_raw());
    if owner == me || owner == 0 {
        return Ok(());
    }
    let words = format!(
        "it belongs to another user ({owner}, this is {me}); name another folder with PRECEDENT_STATE_DIR, or give it to this one"
    );
    Err(io::Error::other(words))
}

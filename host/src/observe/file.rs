//! A file read whole, and what can be told of it.

use std::{
    fs::{File, Metadata},
    io::{ErrorKind, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
    time::UNIX_EPOCH,
};

use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat};
use zeroize::Zeroizing;

use crate::model::Fault;

/// More than any configuration has; a larger file is refused, not read.
const LARGEST: u64 = 16 * 1024 * 1024;

/// A file's bytes and what is known of it.
pub struct FileContents {
    /// All bytes.
    pub bytes: Zeroizing<Vec<u8>>,
    /// When it was last changed, in seconds since 1970.
    pub modified: Option<u64>,
    /// Whether this process could replace it, and nobody has made it read-only.
    pub writable: bool,
    /// Whether this process could replace it, whatever its mode says.
    pub replaceable: bool,
    /// Whether it is this user's, and nobody else may read or write it.
    pub private: bool,
}

/// Why a file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// Nothing is there.
    Absent,
    /// The operating system denied access.
    NotPermitted,
    /// A directory, a device, a FIFO or a link that leads nowhere.
    NotAFile,
    /// Larger than 16 MiB.
    TooLarge,
    /// Any other failure.
    Failed,
}

impl ReadError {
    /// The fault that a policy sees. Absence is none, and maps to the general one.
    #[must_use]
    pub fn fault(self) -> Fault {
        match self {
            Self::NotPermitted => Fault::NotPermitted,
            Self::NotAFile => Fault::NotAFile,
            Self::TooLarge => Fault::TooLarge,
            Self::Absent | Self::Failed => Fault::Failed,
        }
    }
}

/// What a fault is, in words.
pub(super) fn in_words(fault: Fault) -> &'static str {
    match fault {
        Fault::NotPermitted => "permission denied",
        Fault::NotAFile => "it is no regular file, or a link that leads nowhere",
        Fault::Syntax => "it is not UTF-8 text",
        Fault::DuplicateKey => "a key stands twice in one object",
        Fault::WrongType => "it holds another type than a string",
        Fault::TooLarge => "it is larger than 16 MiB",
        Fault::TimedOut => "there was no answer in time",
        Fault::Failed => "reading failed",
    }
}

/// What mends a fault.
pub(super) fn remedy(fault: Fault) -> &'static str {
    match fault {
        Fault::NotPermitted => "let this user read it, or run as the user who owns it",
        Fault::NotAFile => "put the file where the link leads, or remove what stands there",
        Fault::Syntax => "mend the text at that place",
        Fault::DuplicateKey => "keep one of the two: readers take the last, editors the first",
        Fault::WrongType => "put a string there, or remove the key",
        Fault::TooLarge => "is it the right file?",
        Fault::TimedOut => "try again",
        Fault::Failed => "look at the file system",
    }
}

/// A file that is open, with all its bytes.
pub(crate) struct Opened {
    pub(crate) file: File,
    pub(crate) metadata: Metadata,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
}

/// Reads a file whole, and says what may be done with it.
///
/// # Errors
///
/// Why it could not be read.
pub(super) fn read(path: &Path) -> Result<FileContents, ReadError> {
    let Opened { file, metadata, bytes } = open(path)?;
    let replaceable = is_replaceable(path, &file, &metadata);
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(FileContents {
        bytes,
        modified: modified.map(|since| since.as_secs()),
        writable: replaceable && is_open_to_writing(path, &metadata),
        replaceable,
        private: metadata.permissions().mode() & 0o077 == 0
            && metadata.uid() == rustix::process::geteuid().as_raw(),
    })
}

/// Opens a file and reads it whole, whatever stands in its place.
///
/// # Errors
///
/// Why it could not be read.
#[allow(clippy::disallowed_methods, reason = "it opens for reading only")]
pub(crate) fn open(path: &Path) -> Result<Opened, ReadError> {
    // NONBLOCK so that a FIFO in the file's place does not hang us; it changes nothing for files.
    let opened =
        File::options().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        // A link that leads nowhere is there all the same; to call it absent would invite somebody
        // to create a file in its place.
        ErrorKind::NotFound if path.symlink_metadata().is_ok() => ReadError::NotAFile,
        ErrorKind::NotFound => ReadError::Absent,
        ErrorKind::PermissionDenied => ReadError::NotPermitted,
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => ReadError::NotAFile,
        _ if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) => {
            ReadError::NotAFile
        }
        _ => ReadError::Failed,
    })?;
    let metadata = file.metadata().map_err(|_| ReadError::Failed)?;
    if !metadata.is_file() {
        return Err(ReadError::NotAFile);
    }
    if metadata.len() > LARGEST {
        return Err(ReadError::TooLarge);
    }
    let size = usize::try_from(metadata.len()).unwrap_or_default();
    let mut bytes = Zeroizing::new(Vec::with_capacity(size + 1));
    file.by_ref().take(LARGEST + 1).read_to_end(&mut bytes).map_err(|_| ReadError::Failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(ReadError::TooLarge);
    }
    Ok(Opened { file, metadata, bytes })
}

/// Whether this process could change it. A Kubernetes mount's files are links through `..data` that
/// the kubelet swaps, and another name of the same file would keep the old secret, and nobody would
/// know.
fn is_replaceable(path: &Path, file: &File, metadata: &Metadata) -> bool {
    let folder = path.canonicalize().ok().and_then(|real| real.parent().map(Path::to_owned));
    let may_change = |folder: &Path| {
        if is_mount(file) {
            may(path, Access::WRITE_OK)
        } else {
            may(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
        }
    };
    metadata.nlink() == 1
        && !goes_through_data_link(path)
        && folder.is_some_and(|folder| may_change(&folder))
}

/// Whether the file is a mount of its own, such as a `subPath` of a pod or a file that a container
/// was given: nothing can take its place, it can only be written to.
pub(crate) fn is_mount(file: &File) -> bool {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{StatxAttributes, StatxFlags, statx};
        let seen = statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::empty());
        seen.is_ok_and(|seen| seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = file;
        false
    }
}

/// Whether the file itself is open to writing. One that nobody may write is taken at its word, even by
/// root.
fn is_open_to_writing(path: &Path, metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o222 != 0 && may(path, Access::WRITE_OK)
}

fn may(path: &Path, access: Access) -> bool {
    accessat(CWD, path, access, AtFlags::EACCESS).is_ok()
}

/// Whether the path is in a mounted ConfigMap or Secret: a step of it, or a link on it, is `..data`.
fn goes_through_data_link(path: &Path) -> bool {
    let names_data =
        |path: &Path| path.components().any(|c| c == Component::Normal("..data".as_ref()));
    let mut walked = PathBuf::new();
    names_data(path)
        || path.components().any(|component| {
            walked.push(component);
            walked.read_link().is_ok_and(|target| names_data(&target))
        })
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests make what is observed")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_is_no_file_is_told_apart_from_nothing() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("folder"))?;
        symlink("/nowhere/at/all", at("dangling"))?;
        std::fs::write(at("file"), "text")?;
        let error = |name: &str| read(&at(name)).err();
        assert_eq!(error("missing"), Some(ReadError::Absent));
        assert_eq!(error("folder"), Some(ReadError::NotAFile));
        assert_eq!(error("dangling"), Some(ReadError::NotAFile));
        assert_eq!(error("file/below"), Some(ReadError::NotAFile));
        assert_eq!(error("file"), None);
        Ok(())
    }

    #[test]
    fn a_mounted_secret_is_read_but_never_replaced() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir(at("..2026_11_20"))?;
        std::fs::write(at("..2026_11_20/token"), "secret\n")?;
        symlink("..2026_11_20", at("..data"))?;
        symlink("..data/token", at("token"))?;
        let contents = read(&at("token")).map_err(|_| std::io::Error::other("unreadable"))?;
        assert_eq!(contents.bytes.as_slice(), b"secret\n");
        assert!(!contents.writable);
        Ok(())
    }
}

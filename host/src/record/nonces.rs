//! Which handovers were used here, so that none is used twice.
//!
//! A file for each, made only where none is: of two runs at once one makes it, on file systems without locks
//! too, and there is nothing in it that could be damaged. Its name ends with the time until which it was
//! valid; a day later it goes, for a clock may be set back.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{RecordError, StateFolder, failed, make_ours, ours::is_our_folder};
use crate::{
    apply::sync_folder,
    handover::{LONGEST_VALID, SKEW},
    secret::hex,
};

/// What was used here.
#[derive(Debug)]
pub struct UsedNonces {
    folder: PathBuf,
}

impl StateFolder {
    /// What was handed to this node and used.
    #[must_use]
    pub fn used_nonces(&self) -> UsedNonces {
        UsedNonces { folder: self.0.join("handovers") }
    }
}

impl UsedNonces {
    /// Whether a handover was used before; `expires` is the time until which it is valid.
    ///
    /// # Errors
    ///
    /// Where that cannot be told.
    pub fn holds(&self, nonce: &[u8; 16], expires: u64) -> Result<bool, RecordError> {
        let path = self.path(nonce, expires);
        let seen = || match is_our_folder(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
            Ok(()) => match path.symlink_metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                seen => seen.map(|_| true),
            },
        };
        seen().map_err(|error| failed("read", &path, &error))
    }

    /// Takes a handover for this run: from here on it is used, whatever comes of it. False where it was
    /// before. Whether it is still valid is to be asked after this.
    ///
    /// # Errors
    ///
    /// Where that could not be kept, so that nothing may be done with it.
    pub fn take(&self, nonce: &[u8; 16], expires: u64, now: u64) -> Result<bool, RecordError> {
        let path = self.path(nonce, expires);
        let taken = make_ours(&self.folder)
            .and_then(|()| is_our_folder(&self.folder))
            .and_then(|()| self.make(&path));
        let taken = taken.map_err(|error| failed("write", &path, &error))?;
        self.sweep(now);
        Ok(taken)
    }

    #[allow(clippy::disallowed_methods, reason = "what was used is this host's own")]
    fn make(&self, path: &Path) -> io::Result<bool> {
        let mut options = OpenOptions::new();
        match options.write(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => {
                file.sync_all()?;
                sync_folder(path)?;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes what nobody could use any more. What cannot be removed is only there for longer.
    #[allow(clippy::disallowed_methods, reason = "what was used is this host's own")]
    fn sweep(&self, now: u64) {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries {
            let name = entry.file_name();
            let expires = name.to_str().and_then(|name| name.rsplit_once('-')?.1.parse().ok());
            let until = |expires: u64| expires.saturating_add((SKEW + LONGEST_VALID).as_secs());
            if expires.is_some_and(|expires| until(expires) < now) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    fn path(&self, nonce: &[u8; 16], expires: u64) -> PathBuf {
        self.folder.join(format!("{}-{expires}", hex(nonce)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_used_once_and_forgotten_when_nobody_can_use_it()
    -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let used = StateFolder::new(folder.path().join("state")).used_nonces();
        let (one, two) = ([1; 16], [2; 16]);
        assert!(!used.holds(&one, 1000)?);
        assert!(used.take(&one, 1000, 900)?);
        assert!(used.holds(&one, 1000)?);
        assert!(!used.take(&one, 1000, 900)?, "the same once more");
        // The clock may have been set back since.
        let until = 1000 + (SKEW + LONGEST_VALID).as_secs();
        assert!(used.take(&two, until, until)?);
        assert!(used.holds(&one, 1000)?);
        assert!(!used.take(&two, until, until + 1)?);
        assert!(!used.holds(&one, 1000)? && used.holds(&two, until)?);
        Ok(())
    }

    #[test]
    fn of_many_at_once_one_wins() {
        let folder = tempfile::tempdir();
        let used =
            folder.as_ref().map(|at| StateFolder::new(at.path().join("state")).used_nonces());
        let wins = std::thread::scope(|scope| {
            let take = || used.as_ref().is_ok_and(|used| used.take(&[3; 16], 10, 5) == Ok(true));
            let all: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
            all.into_iter().filter_map(|one| one.join().ok()).filter(|won| *won).count()
        });
        assert_eq!(wins, 1);
    }
}

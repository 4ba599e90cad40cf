//! The installation's key: made once, and nobody else's.

use std::{
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::{
    RecordError, StateFolder, failed,
    ours::{is_ours, open_ours},
};
use crate::{Event, apply::sync_folder, observe::file::Opened, secret::Key};

/// The installation's key, and what it is good for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OwnKey {
    /// The key.
    pub key: Key,
    /// Whether it is there for the next run too, so that what is sealed with it can be opened.
    pub is_kept: bool,
    /// Whether nobody else can read it besides: a hash under it says that code is ours.
    pub is_ours_alone: bool,
}

impl OwnKey {
    /// The installation's key; for this run only where it cannot be kept. What it is not good for is told.
    ///
    /// # Errors
    ///
    /// Where there is no randomness for a key.
    pub fn of(state: Option<&StateFolder>, tell: &dyn Fn(&Event<'_>)) -> Result<Self, RecordError> {
        let reason = match state.map(|state| (state.key(), state)) {
            Some((Ok(key), state)) => {
                let shared = state.shared_key();
                if let Some(message) = &shared {
                    tell(&Event::KeyShared(message));
                }
                return Ok(Self { key, is_kept: true, is_ours_alone: shared.is_none() });
            }
            Some((Err(error), _)) => error.to_string(),
            None => StateFolder::NONE.to_owned(),
        };
        tell(&Event::KeyNotKept(&reason));
        let key = Key::generate().map_err(|error| failed("make", Path::new("a key"), &error))?;
        Ok(Self { key, is_kept: false, is_ours_alone: false })
    }

    /// A key that somebody keeps elsewhere, and vouches for.
    pub(crate) fn given(key: Key) -> Self {
        Self { key, is_kept: true, is_ours_alone: true }
    }
}

impl StateFolder {
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
}

fn read_key(path: &Path) -> Result<Option<Key>, RecordError> {
    let unusable = |reason: &str| failed("use", path, &io::Error::other(reason));
    let Some(Opened { bytes, .. }) = open_ours(path)? else { return Ok(None) };
    match <[u8; 32]>::try_from(bytes.as_slice()) {
        Ok(key) => Ok(Some(Key::new(key))),
        Err(_) => Err(unusable(
            "it is no key of 32 bytes; remove it, and a new one is made (what was kept for rollback, and fingerprints to compare with, go with it)",
        )),
    }
}

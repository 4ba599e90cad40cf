//! A compiled policy in the cache folder: looked for, refused, replaced.
//!
//! It is machine code, so it is run only if this installation wrote it: 32 bytes of hash under the
//! installation's key, then the code. What is mapped is what was read and hashed, not the file.

use std::{
    fs::{self, DirBuilder, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use rustix::fs::{Mode, OFlags};
use wasmtime::component::Component;

use super::{Cache, map};
use crate::decide::Engine;

/// How many times a component's size its code may have, and what every one may have besides. The
/// shipped policies' code has a little more than twice their size; what is much larger was not written
/// here.
const MOST_TIMES: u64 = 32;
const MOST_MORE: u64 = 1 << 20;

/// How many compiled policies are kept, and how many bytes of them: those of a few releases and of whoever
/// writes a policy. A large one, such as Python's, has some 60 MB.
const MOST_KEPT: usize = 64;
const MOST_BYTES: u64 = 512 << 20;
/// What is used is marked so once in this while, so that it is not what goes first.
const A_WHILE: Duration = Duration::from_secs(24 * 3600);

/// What was found in the folder.
pub(super) enum Found {
    /// Nothing.
    Nothing,
    /// What this installation wrote.
    Ours(Component),
    /// Something else, and why it is not run.
    Refused(String),
}

/// A compiled policy that is kept, or will be.
pub(super) struct Kept<'c> {
    cache: Cache<'c>,
    path: PathBuf,
    purpose: String,
    most: u64,
}

impl<'c> Kept<'c> {
    /// Where the code of a component of so many bytes is kept.
    pub(super) fn new(cache: Cache<'c>, engine: &Engine, digest: &str, size: usize) -> Self {
        let mut hasher = DefaultHasher::new();
        engine.inner().precompile_compatibility_hash().hash(&mut hasher);
        let name =
            format!("{}-{:016x}.cwasm", digest.trim_start_matches("sha256:"), hasher.finish());
        let most = (size as u64).saturating_mul(MOST_TIMES).saturating_add(MOST_MORE);
        Self { path: cache.folder.join(&name), purpose: format!("compiled {name}"), cache, most }
    }

    /// Looks for it.
    pub(super) fn find(&self, engine: &Engine, policy: &str) -> Found {
        let bytes = match self.read() {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Found::Nothing,
            Err(error) => return Found::Refused(error.to_string()),
        };
        let foreign = "it was changed, or another installation wrote it";
        let Some((hash, compiled)) = bytes.split_at_checked(32) else {
            return Found::Refused(foreign.to_owned());
        };
        let expected = self.cache.key.mac(&self.purpose, compiled);
        // Compared whole, whatever differs first.
        let differs = expected.iter().zip(hash).fold(0, |differs, (a, b)| differs | (a ^ b));
        if differs != 0 {
            return Found::Refused(foreign.to_owned());
        }
        match map(engine, compiled, policy) {
            Ok(component) => Found::Ours(component),
            Err(error) => Found::Refused(error.to_string()),
        }
    }

    /// Its bytes; none where there is nothing. Neither waits for a FIFO nor follows a link.
    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = match rustix::fs::open(&self.path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Err(io::Error::other("it is a link")),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        // Whoever owns it may know the key too: root often runs with another's home.
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other("it belongs to another user"));
        }
        let too_large = |size: u64| {
            let most = self.most;
            io::Error::other(format!(
                "it has {size} bytes, a policy of this size has {most} at most"
            ))
        };
        if metadata.len() > self.most {
            return Err(too_large(metadata.len()));
        }
        let is_old = |at: SystemTime| at.elapsed().is_ok_and(|since| since > A_WHILE);
        if metadata.modified().is_ok_and(is_old) {
            // Where it cannot be marked, it goes sooner.
            let _ = file.set_modified(SystemTime::now());
        }
        // In one piece, or it would be moved as it grows, and overwritten where it was.
        let room = usize::try_from(metadata.len()).unwrap_or_default().saturating_add(1);
        let mut bytes = Vec::with_capacity(room);
        let size = file.take(self.most + 1).read_to_end(&mut bytes)? as u64;
        // It may have grown in the meantime.
        if size > self.most { Err(too_large(size)) } else { Ok(Some(bytes)) }
    }

    /// Keeps what was compiled, in the place of what was refused; returns what to tell of it. Where
    /// nothing was refused and it cannot be kept, the next run compiles again, and there is nothing
    /// to tell.
    pub(super) fn replace(&self, compiled: &[u8], refused: Option<String>) -> Option<String> {
        let stored = self.store(compiled);
        let path = self.path.display();
        let why = refused?;
        let then = match stored {
            Ok(()) => String::new(),
            Err(error) => format!(", and cannot be kept: {error}; remove {path}"),
        };
        Some(format!("the compiled policy {path} is not run: {why}; it was compiled anew{then}"))
    }

    #[allow(
        clippy::disallowed_methods,
        reason = "the artifact cache is one of the places that write"
    )]
    fn store(&self, compiled: &[u8]) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.cache.folder)?;
        // A temporary file is 0600.
        let mut file = tempfile::NamedTempFile::new_in(self.cache.folder)?;
        file.write_all(&self.cache.key.mac(&self.purpose, compiled))?;
        file.write_all(compiled)?;
        file.persist(&self.path)?;
        self.make_room();
        Ok(())
    }

    /// Removes what was not used for longest, until what is kept is within its bounds: also what an older
    /// release compiled, and what a run left that was killed while it wrote. What is new stays.
    #[allow(
        clippy::disallowed_methods,
        reason = "the artifact cache is one of the places that write"
    )]
    fn make_room(&self) {
        let entries = fs::read_dir(self.cache.folder).into_iter().flatten().flatten();
        let file = |entry: fs::DirEntry| {
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((metadata.modified().ok()?, metadata.len(), entry.path()))
        };
        let mut files: Vec<_> = entries.filter_map(file).collect();
        files.sort_by(|one, other| other.cmp(one));
        let mut bytes = 0_u64;
        for (index, (_, size, path)) in files.into_iter().enumerate() {
            bytes = bytes.saturating_add(size);
            if path != self.path && (index >= MOST_KEPT || bytes > MOST_BYTES) {
                // What is in use is mapped from memory, not from the file.
                let _ = fs::remove_file(path);
            }
        }
    }
}

//! A gateway's own lock on a file: another file beside it, as the gateway makes and reads it.
//!
//! What it holds and how its owner is judged was measured on OpenClaw, see the preset: created only
//! where none is, JSON with `pid`, `createdAt` and, from `/proc`, `starttime`; an owner that is gone
//! is no owner, and one that does not say who it is has 30 seconds.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, fchown},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rustix::process::{Pid, test_kill_process};
use serde::{Deserialize, Serialize};

use super::{ApplyFault, replace::unnamed};
use crate::observe::file::{Opened, open};

/// How long the gateway may hold it. It does for milliseconds.
const WAIT: Duration = Duration::from_secs(10);
/// How often to look.
const PAUSE: Duration = Duration::from_millis(50);
/// How long an owner that does not say who it is counts.
const UNNAMED: Duration = Duration::from_secs(30);
/// More than any lock says.
const LARGEST: u64 = 4096;

/// What stands in the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Owner {
    pid: i32,
    #[serde(default)]
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    starttime: Option<u64>,
}

/// A gateway's lock that is ours until it is dropped.
#[derive(Debug)]
pub(super) struct GatewayLock {
    path: PathBuf,
    says: Vec<u8>,
}

impl GatewayLock {
    /// Takes a gateway's lock on a file, waiting while another owner has it.
    fn take(path: &Path, target: &Path) -> Result<Self, ApplyFault> {
        let until = Instant::now() + WAIT;
        let says = serde_json::to_vec(&Owner::me()).unwrap_or_default();
        loop {
            match create(path, &says) {
                Ok(()) => return Ok(Self { path: path.to_owned(), says }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(ApplyFault::NoLock {
                        path: target.to_owned(),
                        reason: format!("{}: {error}", path.display()),
                    });
                }
            }
            let held = Held::look(path);
            let is_gone = match &held {
                Some(held) => held.is_stale() && held.remove(path),
                None => path.symlink_metadata().is_err(),
            };
            if Instant::now() >= until {
                let owner = held.map_or_else(|| says_who(b""), |held| held.owner());
                return Err(ApplyFault::Locked { path: path.to_owned(), owner });
            }
            if !is_gone {
                thread::sleep(PAUSE);
            }
        }
    }

    /// Takes all of them, each once, in an order that is everybody's.
    pub(super) fn take_all<'t>(
        targets: impl Iterator<Item = (Option<&'t PathBuf>, &'t PathBuf)>,
    ) -> Result<Vec<Self>, ApplyFault> {
        let locks: BTreeMap<&PathBuf, &PathBuf> =
            targets.filter_map(|(lock, target)| Some((lock?, target))).collect();
        locks.into_iter().map(|(lock, target)| Self::take(lock, target)).collect()
    }
}

impl Drop for GatewayLock {
    fn drop(&mut self) {
        if let Some(held) = Held::look(&self.path)
            && held.says == self.says
        {
            held.remove(&self.path);
        }
    }
}

/// Complete from the first instant, so that nobody reads half an owner.
fn create(path: &Path, says: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("it has no folder"))?;
    let mut file = unnamed(folder)?;
    file.write_all(says)?;
    // The gateway may be another user than we, and must be able to read who we are.
    let of = fs::metadata(folder)?;
    let _ = fchown(file.as_file(), Some(of.uid()), Some(of.gid()));
    file.persist_noclobber(path).map(drop).map_err(|error| error.error)
}

/// Whom the bytes of a lock name.
pub(super) fn says_who(bytes: &[u8]) -> String {
    match serde_json::from_slice::<Owner>(bytes) {
        Ok(owner) => format!("process {}", owner.pid),
        Err(_) => "somebody who does not say who".to_owned(),
    }
}

/// A lock that is there.
struct Held {
    file: File,
    says: Vec<u8>,
    age: Duration,
}

impl Held {
    /// Looks at it; none where it is gone, or is nothing that a gateway makes.
    fn look(path: &Path) -> Option<Self> {
        let metadata = fs::symlink_metadata(path).ok()?;
        if !metadata.is_file() || metadata.len() > LARGEST {
            return None;
        }
        let Opened { file, metadata, bytes } = open(path).ok()?;
        let age = metadata.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        Some(Self { file, says: bytes.to_vec(), age: age.unwrap_or_default() })
    }

    fn is_stale(&self) -> bool {
        match serde_json::from_slice::<Owner>(&self.says) {
            Ok(owner) => !owner.is_alive(),
            Err(_) => self.age > UNNAMED,
        }
    }

    fn owner(&self) -> String {
        let age = humantime::format_duration(Duration::from_secs(self.age.as_secs()));
        format!("{} for {age}", says_who(&self.says))
    }

    /// Removes the lock, unless it is another one by now. Two who find the same lock stale take turns
    /// at it, and the second finds another one.
    #[allow(clippy::disallowed_methods, reason = "this is the stage that writes")]
    fn remove(&self, path: &Path) -> bool {
        let _turn = self.file.lock();
        let same = |metadata: fs::Metadata| {
            self.file
                .metadata()
                .is_ok_and(|own| (own.dev(), own.ino()) == (metadata.dev(), metadata.ino()))
        };
        path.symlink_metadata().is_ok_and(same) && fs::remove_file(path).is_ok()
    }
}

impl Owner {
    fn me() -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let created_at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        Self { pid, created_at, starttime: started(pid) }
    }

    fn is_alive(&self) -> bool {
        if let (Some(now), Some(then)) = (started(self.pid), self.starttime)
            && now != then
        {
            return false;
        }
        // Not ours to ask is alive all the same.
        let gone = |error| error == rustix::io::Errno::SRCH;
        let pid = if self.pid > 0 { Pid::from_raw(self.pid) } else { None };
        pid.is_some_and(|pid| !test_kill_process(pid).is_err_and(gone))
    }
}

/// When a process started, in the kernel's ticks: the 22nd field of its `stat`. The second, its name
/// in brackets, may hold anything.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

/// Removes a lock that an owner who is gone left.
pub(super) fn sweep(path: &Path) {
    if let Some(held) = Held::look(path)
        && held.is_stale()
        && !held.says.is_empty()
    {
        held.remove(path);
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the tests make what is found")]
mod tests {
    use super::*;

    #[test]
    fn a_lock_says_who_has_it_and_goes_with_its_owner() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("openclaw.json.lock");
        let lock = GatewayLock::take(&path, &path)?;
        let says: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
        let number = |key: &str| says.get(key).and_then(serde_json::Value::as_u64);
        assert_eq!(number("pid"), Some(std::process::id().into()));
        assert!(number("starttime").is_some() || !Path::new("/proc/self/stat").exists());
        let at = says.get("createdAt").and_then(serde_json::Value::as_str);
        assert!(at.is_some_and(|at| at.ends_with('Z')), "{says}");
        assert!(Held::look(&path).is_some_and(|held| !held.is_stale()));
        drop(lock);
        assert!(!path.exists());
        Ok(())
    }

    #[test]
    fn who_is_gone_has_no_lock() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("openclaw.json.lock");
        let mut child = std::process::Command::new("true").spawn()?;
        child.wait()?;
        let me = std::process::id();
        for says in [
            format!("{{\"pid\":{},\"createdAt\":\"2026-11-20T00:00:00.000Z\"}}", child.id()),
            // The number of a process that is another one by now.
            format!("{{\"pid\":{me},\"createdAt\":\"x\",\"starttime\":1}}"),
        ] {
            fs::write(&path, &says)?;
            assert!(Held::look(&path).is_some_and(|held| held.is_stale()), "{says}");
            drop(GatewayLock::take(&path, &path)?);
            assert!(!path.exists());
        }
        fs::write(&path, "")?;
        assert!(Held::look(&path).is_some_and(|held| !held.is_stale()), "it has 30 seconds");
        Ok(())
    }

    /// Whatever stands there that no gateway made is neither removed nor waited for without end.
    #[test]
    fn what_is_no_lock_stays() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("openclaw.json.lock");
        let old = std::time::UNIX_EPOCH;
        fs::create_dir(&path)?;
        assert!(matches!(GatewayLock::take(&path, &path), Err(ApplyFault::Locked { .. })));
        fs::remove_dir(&path)?;
        for text in ["{\"pid\":-1}".to_owned(), "x".repeat(5000)] {
            let file = File::create(&path)?;
            (&file).write_all(text.as_bytes())?;
            file.set_modified(old)?;
            sweep(&path);
            let is_large = text.len() > 4096;
            assert_eq!(path.exists(), is_large, "{} bytes", text.len());
        }
        Ok(())
    }
}

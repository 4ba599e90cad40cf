//! Mends a run that was killed, and takes back one that was a mistake.

use std::{fs, path::PathBuf};

use serde::Serialize;
use zeroize::Zeroizing;

use super::{
    ApplyError, ApplyFault, Outcome, Status,
    lock::{self, GatewayLock},
    replace::{self, Original, put_back},
    runs::{Run, RunId, RunState, RunTarget, Runs, RunsError},
    transact::{Writing, transact},
};
use crate::{
    observe::file,
    secret::{Key, unhex},
};

/// How a run that was killed was mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// The run.
    pub run: RunId,
    /// When it began, in seconds since 1970.
    pub at: u64,
    /// Done where all of it was there already, undone where a part was, and was put back.
    pub state: RunState,
    /// Files that somebody else has written since, and that are left as they are.
    pub left: Vec<PathBuf>,
}

/// What stands at a target of a run that was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum There {
    Old,
    New,
    /// A part of the new bytes, over the old ones.
    Torn,
    /// Something that the run did not write.
    Else,
}

impl Runs {
    /// Mends the runs that were killed. One of which everything is there is done; of any other, what
    /// it changed is put back as it was, unless somebody else has written there since. The run that
    /// follows looks and decides anew.
    ///
    /// # Errors
    ///
    /// Where a file can neither be left as it is nor be put back.
    pub fn recover(&self, key: &Key) -> Result<Vec<Recovery>, RunsError> {
        self.sweep();
        self.readable()?;
        let runs = self.all();
        let begun = runs.iter().rev().filter(|(_, state)| *state == RunState::Begun);
        begun.map(|(run, _)| self.mend(run, key)).collect()
    }

    fn mend(&self, run: &Run, key: &Key) -> Result<Recovery, RunsError> {
        let stuck = |reason: String| RunsError::Interrupted {
            run: run.run,
            reason,
            path: self.folder_of(run.run),
        };
        let locks = run.targets.iter().filter_map(|target| target.lock.as_ref());
        let taken: Result<Vec<GatewayLock>, ApplyFault> = locks
            .filter(|path| path.parent().is_some_and(std::path::Path::is_dir))
            .map(|path| GatewayLock::take(path))
            .collect();
        let _locks = taken.map_err(|fault| stuck(fault.to_string()))?;
        let there: Vec<There> = run
            .targets
            .iter()
            .enumerate()
            .map(|(index, target)| self.there(run, index, target, key))
            .collect();
        let state = if there.iter().all(|there| *there == There::New) {
            RunState::Done
        } else {
            RunState::Undone
        };
        let changed = |there: There| matches!(there, There::New | There::Torn);
        for (index, target) in run.targets.iter().enumerate().rev() {
            let there = there.get(index).copied().unwrap_or(There::Else);
            if state == RunState::Undone && changed(there) {
                self.put_back(run, index, target, there, key).map_err(stuck)?;
            }
        }
        self.mark(run, RunState::Begun, state).map_err(|error| stuck(error.to_string()))?;
        let elsewhere = run.targets.iter().zip(&there).filter(|(_, there)| **there == There::Else);
        let left = elsewhere.map(|(target, _)| target.path.clone()).collect();
        Ok(Recovery { run: run.run, at: run.at, state, left })
    }

    /// A run whose intent cannot be read may have changed anything.
    fn readable(&self) -> Result<(), RunsError> {
        let unreadable = self.unreadable();
        unreadable.map_or(Ok(()), |run| {
            Err(RunsError::Interrupted {
                run,
                reason: "its intent.json is not what was written".to_owned(),
                path: self.folder_of(run),
            })
        })
    }

    fn there(&self, run: &Run, index: usize, target: &RunTarget, key: &Key) -> There {
        let read = || file::open(&target.real).map(|opened| opened.bytes);
        let found = match read() {
            Ok(bytes) if key.digest(&bytes) == target.new => There::New,
            Ok(bytes) if key.digest(&bytes) == target.old => There::Old,
            Ok(bytes) if target.in_place => {
                let kept = |what| self.kept(run, index, what, key);
                match (kept("old"), kept("new")) {
                    (Some(old), Some(new)) if replace::is_torn(&bytes, &old, &new) => There::Torn,
                    _ => There::Else,
                }
            }
            _ => There::Else,
        };
        match &target.temporary {
            Some(temporary) => clear(temporary, target, found, key),
            None => found,
        }
    }

    fn put_back(
        &self,
        run: &Run,
        index: usize,
        target: &RunTarget,
        there: There,
        key: &Key,
    ) -> Result<(), String> {
        let old = self.kept(run, index, "old", key).ok_or_else(|| {
            format!(
                "what was kept of {} does not open with this installation's key",
                target.path.display()
            )
        })?;
        let list = target.access_list.as_deref().and_then(unhex);
        let digest = match there {
            There::Torn => {
                let read = file::open(&target.real).map_err(|_| "it cannot be read".to_owned())?;
                key.digest(&read.bytes)
            }
            _ => target.new.clone(),
        };
        put_back(&target.real, &digest, &old, |now| now.with(target.mode, list), key)
            .map_err(|fault| fault.to_string())
    }

    /// Takes back what a run changed; the last that can be, where none is named. Only where every
    /// file still is as the run left it, and all of them or none. It is a run of its own, so it can
    /// be taken back too.
    ///
    /// # Errors
    ///
    /// Where there is no such run, where what was there is no longer kept, or where a file has been
    /// changed since.
    pub fn roll_back(&self, run: &Run, key: &Key) -> Result<Outcome, ApplyError> {
        let failed = |fault| ApplyError { outcome: outcome(run, Status::Failed), fault };
        let locks: Result<Vec<GatewayLock>, ApplyFault> = run
            .targets
            .iter()
            .filter_map(|target| target.lock.as_ref())
            .map(|path| GatewayLock::take(path))
            .collect();
        let _locks = locks.map_err(failed)?;
        let writings = run.targets.iter().enumerate().map(|(index, target)| {
            let original = Original::open(&target.path, &target.new, key)?;
            let new = self.kept(run, index, "old", key).ok_or_else(|| ApplyFault::Edit {
                path: target.path.clone(),
                reason: format!("what run {} kept of it is gone or does not open", run.run),
            })?;
            let list = target.access_list.as_deref().and_then(unhex);
            // As it was, but never wider than it is: a secret may stand there.
            let now = original.attributes.clone();
            let mode = target.mode & now.mode;
            let attributes = if list.is_some() { now } else { now.with(mode, None) };
            Ok(Writing {
                original,
                new: Zeroizing::new(new.to_vec()),
                attributes,
                lock: target.lock.clone(),
            })
        });
        let writings: Vec<Writing> = writings.collect::<Result<_, _>>().map_err(failed)?;
        let done = transact(writings, Some(self), Some(run.run), key);
        let done = done.map_err(|aborted| failed(aborted.fault))?;
        self.mark(run, RunState::Done, RunState::RolledBack).map_err(|error| {
            failed(ApplyFault::Write { path: self.folder_of(run.run), reason: error.to_string() })
        })?;
        Ok(Outcome { run: done.run, ..outcome(run, Status::RolledBack) })
    }

    /// The run that is taken back where none is named, or the one that is.
    ///
    /// # Errors
    ///
    /// Where there is none, or it cannot be.
    pub fn to_roll_back(runs: &[(Run, RunState)], id: Option<RunId>) -> Result<&Run, RunsError> {
        let nothing = |words: String| Err(RunsError::Nothing(words));
        match id {
            None => runs
                .iter()
                .rev()
                .find(|(run, state)| *state == RunState::Done && run.of.is_none())
                .map_or_else(
                    || nothing("no run is kept that could be rolled back".to_owned()),
                    |(run, _)| Ok(run),
                ),
            Some(id) => match runs.iter().find(|(run, _)| run.run == id) {
                Some((run, RunState::Done)) => Ok(run),
                Some((_, RunState::Begun)) => {
                    nothing(format!("run {id} was interrupted; `precedent apply` mends it"))
                }
                Some((_, RunState::Undone)) => nothing(format!("run {id} changed nothing")),
                Some((_, RunState::RolledBack)) => {
                    nothing(format!("run {id} was rolled back already"))
                }
                None => nothing(format!(
                    "no run {id} is kept; `precedent rollback --list` shows those that are"
                )),
            },
        }
    }
}

fn outcome(run: &Run, status: Status) -> Outcome {
    let change = |target: &RunTarget| {
        let path = target.path.display().to_string();
        super::ChangeOutcome { to: path.clone(), target: path, status }
    };
    Outcome { changes: run.targets.iter().map(change).collect(), ..Outcome::default() }
}

/// Removes the new file that never took its place, or the old one that came out of it. In the last
/// moment it may have been somebody else's that came out: then that goes back.
#[allow(clippy::disallowed_methods, reason = "this is the stage that writes")]
fn clear(temporary: &std::path::Path, target: &RunTarget, found: There, key: &Key) -> There {
    let Ok(opened) = file::open(temporary) else { return found };
    let digest = key.digest(&opened.bytes);
    let is_ours = digest == target.new || digest == target.old;
    if !is_ours && found == There::New && fs::rename(temporary, &target.real).is_ok() {
        return There::Else;
    }
    if is_ours {
        let _ = fs::remove_file(temporary);
    }
    found
}

/// Removes what killed runs left beside files, and the locks of those that are gone.
pub(super) fn sweep<'p>(files: impl Iterator<Item = (&'p PathBuf, Option<&'p PathBuf>)>) {
    let mut folders = std::collections::BTreeSet::new();
    for (path, gateway_lock) in files {
        if let Some(folder) =
            path.canonicalize().ok().and_then(|real| real.parent().map(ToOwned::to_owned))
        {
            folders.insert(folder);
        }
        if let Some(path) = gateway_lock {
            lock::sweep(path);
            // It may be elsewhere than where the file's links lead.
            folders.extend(path.parent().map(ToOwned::to_owned));
        }
    }
    folders.iter().for_each(|folder| replace::sweep(folder));
}

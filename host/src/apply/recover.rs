//! Mends a run that was killed, and takes back one that was a mistake.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    ApplyError, ApplyFault, Outcome, Status,
    exchange::exchange,
    lock::{self, GatewayLock},
    replace::{self, Original, put_back},
    runs::{Run, RunId, RunState, RunTarget, Runs, RunsError},
    transact::{Writing, transact},
};
use crate::{
    observe::{ReadError, file},
    secret::{Key, unhex},
};

/// How a run that was killed was mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Mends the runs that were killed. One of which the last file is changed has changed them all, and
    /// is done; of any other, what it changed is put back as it was, unless somebody else has written
    /// there since. The run that follows looks and decides anew.
    ///
    /// # Errors
    ///
    /// Where it cannot be told what stands in a file, and where one cannot be put back.
    pub fn recover(&self, key: &Key) -> Result<Vec<Recovery>, RunsError> {
        let unusable = |error: io::Error| RunsError::Folder {
            path: self.folder.clone(),
            reason: error.to_string(),
        };
        self.sweep().map_err(unusable)?;
        // One whose intent is not ours may have changed anything, or nothing.
        if let Some((run, reason)) = self.unreadable(key).map_err(unusable)? {
            return Err(self.stuck(run, reason));
        }
        let runs = self.all().map_err(unusable)?;
        let begun = runs.iter().rev().filter(|(_, state)| *state == RunState::Begun);
        begun.map(|(run, _)| self.mend(run, key)).collect()
    }

    fn mend(&self, run: &Run, key: &Key) -> Result<Recovery, RunsError> {
        let stuck = |reason: String| self.stuck(run.run, reason);
        // Where the folder is gone, so is the file, and nobody can have a lock there.
        let is_there = |lock: &&PathBuf| lock.parent().is_some_and(Path::is_dir);
        let locks = run
            .targets
            .iter()
            .map(|target| (target.lock.as_ref().filter(|lock| is_there(lock)), &target.path));
        let _locks = GatewayLock::take_all(locks).map_err(|fault| stuck(fault.to_string()))?;
        let there = run.targets.iter().enumerate();
        let there = there.map(|(index, target)| self.there(run, index, target, key));
        let there: Vec<There> = there.collect::<Result<_, _>>().map_err(stuck)?;
        // They are changed in order, and put back in the opposite one.
        let state = match there.last() {
            Some(There::New) | None => RunState::Done,
            Some(_) => RunState::Undone,
        };
        for (index, target) in run.targets.iter().enumerate().rev() {
            let there = there.get(index).copied().unwrap_or(There::Else);
            if state == RunState::Undone && matches!(there, There::New | There::Torn) {
                self.put_back(run, index, target, there, key).map_err(stuck)?;
            }
        }
        let elsewhere = run.targets.iter().zip(&there).filter(|(_, there)| **there == There::Else);
        let left: Vec<PathBuf> = elsewhere.map(|(target, _)| target.path.clone()).collect();
        if state == RunState::Undone && left.is_empty() {
            self.forget(run);
        }
        self.mark(run, RunState::Begun, state).map_err(|error| stuck(error.to_string()))?;
        Ok(Recovery { run: run.run, at: run.at, state, left })
    }

    /// What stands at a target. What cannot be told now may be told later: a volume that is not
    /// mounted yet is nobody's change.
    fn there(
        &self,
        run: &Run,
        index: usize,
        target: &RunTarget,
        key: &Key,
    ) -> Result<There, String> {
        let folder_is_there = target.real.parent().is_some_and(Path::is_dir);
        let bytes = match file::open(&target.real) {
            Ok(opened) => Some(opened.bytes),
            Err(ReadError::Absent) if folder_is_there => None,
            Err(ReadError::NotAFile | ReadError::TooLarge) => None,
            Err(_) => return Err(format!("{} cannot be read", target.real.display())),
        };
        let found = match bytes {
            None => There::Else,
            Some(bytes) if key.digest(&bytes) == target.new => There::New,
            Some(bytes) if key.digest(&bytes) == target.old => There::Old,
            Some(bytes) if target.in_place => {
                let kept = |what| {
                    let gone =
                        || format!("what was kept of {} does not open", target.path.display());
                    self.kept(run, index, what, key).ok_or_else(gone)
                };
                if replace::is_torn(&bytes, &kept("old")?, &kept("new")?) {
                    There::Torn
                } else {
                    There::Else
                }
            }
            Some(_) => There::Else,
        };
        match &target.temporary {
            Some(temporary) => clear(temporary, target, found, key),
            None => Ok(found),
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
        let old = self
            .kept(run, index, "old", key)
            .ok_or_else(|| format!("what was kept of {} does not open", target.path.display()))?;
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

    /// Takes back what a run changed. Only where every file still is as the run left it, and all of them
    /// or none. It is a run of its own, so it can be taken back too.
    ///
    /// # Errors
    ///
    /// Where the run is not ours, where what was there is no longer kept, or where a file has been
    /// changed since.
    pub fn roll_back(&self, run: &Run, key: &Key) -> Result<Outcome, ApplyError> {
        let failed = |fault| ApplyError { outcome: outcome(run, &|_| Status::Failed), fault };
        if !run.is_ours(key) {
            let reason = format!("run {} was written with another key, or by hand", run.run);
            return Err(failed(ApplyFault::Edit { path: self.folder_of(run.run), reason }));
        }
        let locks = run.targets.iter().map(|target| (target.lock.as_ref(), &target.path));
        let _locks = GatewayLock::take_all(locks).map_err(failed)?;
        let writings = run.targets.iter().enumerate().map(|(index, target)| {
            let original = Original::open(&target.path, &target.new, key)?;
            let new = self.kept(run, index, "old", key).ok_or_else(|| ApplyFault::Edit {
                path: target.path.clone(),
                reason: format!("what run {} kept of it is gone or does not open", run.run),
            })?;
            // As it was, but never wider than it is: a secret may stand there.
            let now = original.attributes.clone();
            let mode = target.mode & now.mode;
            let has_list = target.access_list.is_some();
            let attributes = if has_list { now } else { now.with(mode, None) };
            Ok(Writing { original, new, attributes, lock: target.lock.clone() })
        });
        let writings: Vec<Writing> = writings.collect::<Result<_, _>>().map_err(failed)?;
        let done = transact(writings, Some(self), Some(run.run), key).map_err(|aborted| {
            let outcome = outcome(run, &|at| aborted.status(at));
            ApplyError { outcome, fault: aborted.fault }
        })?;
        // It is back all the same if that cannot be said; and then it is as this run left it no more.
        let _ = self.mark(run, RunState::Done, RunState::RolledBack);
        Ok(Outcome { run: done.run, ..outcome(run, &|_| Status::RolledBack) })
    }

    /// The run that is named, or else the last that is this installation's own: another of the same
    /// name keeps its runs in the same place.
    ///
    /// # Errors
    ///
    /// Where there is none, or it cannot be taken back.
    pub fn to_roll_back(
        runs: &[(Run, RunState)],
        id: Option<RunId>,
        is_own: impl Fn(&Run) -> bool,
    ) -> Result<&Run, RunsError> {
        let nothing = |words: String| Err(RunsError::Nothing(words));
        match id {
            None => {
                let done =
                    |(run, state): &&(Run, RunState)| *state == RunState::Done && run.of.is_none();
                let mut done = runs.iter().rev().filter(done).map(|(run, _)| run).peekable();
                let last = done.peek().map(|run| run.run);
                match (done.find(|run| is_own(run)), last) {
                    (Some(own), _) => Ok(own),
                    (None, Some(other)) => nothing(format!(
                        "the last run, {other}, changed files that this deployment does not have (see `precedent rollback --list`); if it is meant, name it"
                    )),
                    (None, None) => nothing("no run is kept that could be rolled back".to_owned()),
                }
            }
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

fn outcome(run: &Run, status: &dyn Fn(usize) -> Status) -> Outcome {
    let change = |(at, target): (usize, &RunTarget)| {
        let path = target.path.display().to_string();
        super::ChangeOutcome { to: path.clone(), target: path, status: status(at), reason: None }
    };
    Outcome { changes: run.targets.iter().enumerate().map(change).collect(), ..Outcome::default() }
}

/// Removes the new file that never took its place, or the old one that came out of it. In the last
/// moment it may have been somebody else's that came out: then that goes back.
#[allow(clippy::disallowed_methods, reason = "this is the stage that writes")]
fn clear(temporary: &Path, target: &RunTarget, found: There, key: &Key) -> Result<There, String> {
    let Ok(opened) = file::open(temporary) else { return Ok(found) };
    let digest = key.digest(&opened.bytes);
    if digest == target.new || digest == target.old {
        let _ = fs::remove_file(temporary);
        return Ok(found);
    }
    if found != There::New {
        return Ok(found);
    }
    let fault = |error: io::Error| {
        let (theirs, real) = (temporary.display(), target.real.display());
        format!("{theirs} is somebody else's and belongs in place of {real}: {error}")
    };
    exchange(temporary, &target.real).map_err(fault)?;
    // What came out is ours, or somebody's who wrote just now; then theirs is the newer.
    let came_out = file::open(temporary).map(|opened| key.digest(&opened.bytes));
    if came_out.is_ok_and(|digest| digest == target.new) {
        let _ = fs::remove_file(temporary);
    } else {
        exchange(temporary, &target.real).map_err(fault)?;
    }
    Ok(There::Else)
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

//! Several files, all changed or none.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{
    ApplyFault, Status,
    attributes::Attributes,
    replace::{Committed, Original, Staged},
    runs::{Run, RunId, RunState, Runs},
};
use crate::secret::Key;

/// A file, and what it is to be.
pub(super) struct Writing {
    pub(super) original: Original,
    pub(super) new: Zeroizing<Vec<u8>>,
    pub(super) attributes: Attributes,
    /// The gateway's own lock on it, which the caller has.
    pub(super) lock: Option<PathBuf>,
}

/// How it went.
pub(super) struct Transacted {
    pub(super) run: Option<RunId>,
    /// Why there is nothing to roll back to.
    pub(super) without_backup: Option<String>,
}

/// Why it did not go, and which files, by their positions, were changed first: whether each was put
/// back.
pub(super) struct Aborted {
    pub(super) fault: ApplyFault,
    pub(super) undone: Vec<(usize, bool)>,
}

impl Aborted {
    /// What became of a file, by its position.
    pub(super) fn status(&self, at: usize) -> Status {
        match self.undone.iter().find(|(undone, _)| *undone == at) {
            Some((_, true)) => Status::RolledBack,
            Some((_, false)) => Status::Applied,
            None => Status::Failed,
        }
    }
}

impl From<ApplyFault> for Aborted {
    fn from(fault: ApplyFault) -> Self {
        Self { fault, undone: Vec::new() }
    }
}

/// Changes all of them or none. Everything that can fail is done before the first has changed: the
/// new files are complete beside the old ones, then the intent is journaled with what was there.
pub(super) fn transact(
    writings: Vec<Writing>,
    runs: Option<&Runs>,
    of: Option<RunId>,
    key: &Key,
) -> Result<Transacted, Aborted> {
    let mut staged: Vec<(Staged, Option<PathBuf>)> = Vec::new();
    for Writing { original, new, attributes, lock } in writings {
        staged.push((original.stage(new, attributes, key)?, lock));
    }
    let (run, without_backup) = begin(&staged, runs, of, key)?;
    let mut committed: Vec<Committed> = Vec::new();
    for (file, _) in staged {
        match file.commit(key) {
            Ok(done) => committed.push(done),
            Err(fault) => {
                let mut undone: Vec<(usize, bool)> = committed
                    .iter()
                    .enumerate()
                    .rev()
                    .map(|(i, done)| (i, done.undo(key)))
                    .collect();
                // This one is there, too.
                if matches!(fault, ApplyFault::NotPutBack { .. }) {
                    undone.push((committed.len(), false));
                }
                let all = undone.iter().all(|(_, back)| *back);
                // Where one is not back, the intent stays for the next run to mend.
                if let (Some((runs, run)), true) = (&run, all) {
                    runs.forget(run);
                    let _ = runs.mark(run, RunState::Begun, RunState::Undone);
                }
                return Err(Aborted { fault, undone });
            }
        }
    }
    if let Some((runs, run)) = &run {
        // Where this fails, the next run finds everything there and says so.
        let _ = runs.mark(run, RunState::Begun, RunState::Done);
    }
    Ok(Transacted { run: run.map(|(_, run)| run.run), without_backup })
}

type Begun<'r> = (Option<(&'r Runs, Run)>, Option<String>);

/// Journals the intent. One file that another takes the place of is old or new without it; more than
/// one, and one that is written over, are not.
fn begin<'r>(
    staged: &[(Staged, Option<PathBuf>)],
    runs: Option<&'r Runs>,
    of: Option<RunId>,
    key: &Key,
) -> Result<Begun<'r>, ApplyFault> {
    // A run that is not mended yet would be mended over this one.
    if let Some(run) = runs.and_then(Runs::is_begun) {
        let reason = format!("run {run} was interrupted and is not mended");
        return Err(ApplyFault::NoIntent { reason });
    }
    let begun = match runs {
        Some(runs) => runs
            .begin(staged, of, key)
            .map(|run| (runs, run))
            .map_err(|error| format!("{}: {error}", runs.folder.display())),
        None => Err("there is no state folder that can be written".to_owned()),
    };
    match (begun, staged) {
        (Ok(begun), _) => Ok((Some(begun), None)),
        (Err(reason), [(one, _)]) if !one.original.in_place => Ok((None, Some(reason))),
        (Err(reason), _) => Err(ApplyFault::NoIntent { reason }),
    }
}

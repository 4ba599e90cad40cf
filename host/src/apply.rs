//! Writes. The only stage that does.
//!
//! Every file is made new beside the old one, complete and on disk, before the first takes its
//! place; so what can fail fails before anything has changed. A file takes its place only if what
//! it replaces still has the digest that was planned on.
//!
//! | module | what |
//! |---|---|
//! | `content` | the new bytes of a file |
//! | `replace` | one file in place of another |

mod content;
mod replace;

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    plan::{Change, Plan, Target},
    secret::{Key, Vault},
};

use replace::Staged;

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// The file says it now.
    Applied,
    /// The file was put back as it was, because another one failed.
    RolledBack,
    /// The file is as it was.
    Failed,
}

/// A change and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeOutcome {
    /// The location or fact.
    pub to: String,
    /// The file and the place in it.
    pub target: String,
    /// What became of it.
    pub status: Status,
}

/// What became of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// One for each change, in order.
    pub changes: Vec<ChangeOutcome>,
}

/// Why a plan was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct ApplyError {
    /// What became of each change.
    pub outcome: Outcome,
    /// What went wrong.
    pub fault: ApplyFault,
}

/// What went wrong while writing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyFault {
    /// Somebody else wrote in the meantime.
    #[error("{} changed since it was looked at; nothing was written over it", path.display())]
    Moved {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be edited as planned.
    #[error("cannot edit {}: {reason}", path.display())]
    Edit {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot write {}: {reason}; it is as it was", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file took its place, something failed after that, and it could not be put back.
    #[error("{} was written, but {reason}, and it could not be put back", path.display())]
    NotPutBack {
        /// The file.
        path: PathBuf,
        /// What failed.
        reason: String,
    },
}

impl ApplyError {
    /// Whether to observe and decide again.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self.fault, ApplyFault::Moved { .. } | ApplyFault::Write { .. })
    }
}

/// Applies a plan. The key is the one that the snapshot's digests were made with.
///
/// # Errors
///
/// Where a file moved or could not be written. Every target is then as it was; where one cannot be
/// put back, the outcome says that it is applied.
pub fn apply(plan: &Plan, vault: &Vault, key: &Key) -> Result<Outcome, ApplyError> {
    let fail = |status: &dyn Fn(&Change) -> Status, fault| ApplyError {
        outcome: outcome(plan, status),
        fault,
    };
    let mut staged: Vec<(&Target, Staged)> = Vec::new();
    for target in &plan.targets {
        let file =
            stage(plan, target, vault, key).map_err(|fault| fail(&|_| Status::Failed, fault))?;
        staged.push((target, file));
    }
    let mut committed: Vec<(&Target, replace::Committed)> = Vec::new();
    for (target, file) in staged {
        match file.commit(&target.path, &target.digest, key) {
            Ok(done) => committed.push((target, done)),
            Err(fault) => {
                let undone: Vec<_> = committed
                    .into_iter()
                    .rev()
                    .map(|(target, done)| (target.file, done.undo()))
                    .collect();
                let status = |change: &Change| {
                    let file = change.edit.place.file();
                    match undone.iter().find(|(id, _)| Some(*id) == file) {
                        Some((_, true)) => Status::RolledBack,
                        Some((_, false)) => Status::Applied,
                        None => Status::Failed,
                    }
                };
                return Err(fail(&status, fault));
            }
        }
    }
    Ok(outcome(plan, &|_| Status::Applied))
}

fn stage(plan: &Plan, target: &Target, vault: &Vault, key: &Key) -> Result<Staged, ApplyFault> {
    let changes: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|change| change.edit.place.file() == Some(target.file))
        .collect();
    let secret = changes.iter().any(|change| change.edit.new.is_secret());
    let old = replace::Original::open(&target.path, &target.digest, key)?;
    let new = content::edited(&old.bytes, &changes, target, vault)?;
    old.stage(new, secret, &target.path)
}

fn outcome(plan: &Plan, status: &dyn Fn(&Change) -> Status) -> Outcome {
    let changes = plan.changes.iter().map(|change| ChangeOutcome {
        to: change.to.clone(),
        target: change.target.clone(),
        status: status(change),
    });
    Outcome { changes: changes.collect() }
}

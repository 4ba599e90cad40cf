//! Writes. The only stage that does.
//!
//! Every file is made new beside the old one, complete and on disk, before the first takes its
//! place; so what can fail fails before anything has changed. A file takes its place only if what
//! it replaces still has the digest that was planned on.
//!
//! | module | what |
//! |---|---|
//! | `content` | the new bytes of a file |
//! | `command` | secrets handed to the programs of platforms |
//! | `attributes` | what a file has beside its bytes |
//! | `replace` | one file in place of another |
//! | `exchange` | two names exchanged in one step, and a look at what came out |
//! | `lock` | the gateway's own lock on a file |
//! | `transact` | several files, all changed or none |
//! | `runs` | what runs keep: the deployment's lock, intents, backups |
//! | `recover` | mends a run that was killed, takes back one that was a mistake |

mod attributes;
mod command;
mod content;
mod exchange;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzz;
mod lock;
mod recover;
mod replace;
mod runs;
mod transact;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    model::Snapshot,
    plan::{Change, Plan, Target},
    secret::{Key, Vault},
};

pub use recover::Recovery;
pub use runs::{Keep, Run, RunId, RunState, RunTarget, Runs, RunsError};

pub(crate) use replace::sync_folder;

pub use command::Platforms;

use lock::GatewayLock;
use transact::{Writing, transact};

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// The file says it now.
    Applied,
    /// The file was put back as it was, because another one failed.
    RolledBack,
    /// The file is as it was.
    Failed,
    /// The deployment is audited: nothing is written.
    Unchanged,
}

/// A change and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeOutcome {
    /// The location or fact.
    pub to: String,
    /// The file and the place in it.
    pub target: String,
    /// What became of it.
    pub status: Status,
    /// Why it failed, where it failed by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What became of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// One for each change, in order.
    pub changes: Vec<ChangeOutcome>,
    /// The run's number, for taking it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Why there is nothing to take it back with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_backup: Option<String>,
}

/// Why a plan was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{fault}{}{}", others(.outcome, .fault), written(.outcome))]
pub struct ApplyError {
    /// What became of each change.
    pub outcome: Outcome,
    /// What went wrong.
    pub fault: ApplyFault,
}

/// What else went wrong: each write of a program stands for itself.
fn others(outcome: &Outcome, fault: &ApplyFault) -> String {
    let fault = fault.to_string();
    let reasons = outcome.changes.iter().filter_map(|change| change.reason.as_ref());
    reasons.filter(|reason| **reason != fault).map(|reason| format!("; {reason}")).collect()
}

/// What was written all the same, and how to take it back.
fn written(outcome: &Outcome) -> String {
    let written = outcome.changes.iter().filter(|change| change.status == Status::Applied);
    let written: Vec<&str> = written.map(|change| change.to.as_str()).collect();
    let undo = outcome.run.map(|run| format!(", whose files `precedent rollback {run}` puts back"));
    match written.as_slice() {
        [] => String::new(),
        all => format!("; written: {}{}", all.join(", "), undo.unwrap_or_default()),
    }
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
    /// A program that should have written a secret did not.
    #[error("cannot write {place}: {reason}")]
    Command {
        /// The command that reads it.
        place: String,
        /// Why.
        reason: String,
    },
    /// Somebody else wrote a place of a command in the meantime.
    #[error("{place} changed since it was looked at; nothing was written over it")]
    CommandMoved {
        /// The command that reads it.
        place: String,
    },
    /// The gateway is writing it.
    #[error("{} is locked by {owner}; try again, or remove it if that is gone", path.display())]
    Locked {
        /// The lock.
        path: PathBuf,
        /// Who has it, and for how long.
        owner: String,
    },
    /// The gateway's lock can't be taken.
    #[error("cannot write {}, for its lock cannot be taken: {reason}; it is as it was", path.display())]
    NoLock {
        /// The file.
        path: PathBuf,
        /// The lock, and why.
        reason: String,
    },
    /// What is about to change could not be journaled, and without that a kill could leave a part of
    /// it.
    #[error(
        "nothing is written, for a run that is killed could not be mended: {reason}; set PRECEDENT_STATE_DIR to a folder that can be written and that stays"
    )]
    NoIntent {
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
        !matches!(self.fault, ApplyFault::Edit { .. } | ApplyFault::NotPutBack { .. })
    }
}

/// Applies a plan. The key is the one that the snapshot's digests were made with. Without the
/// deployment's runs only one file can be changed, and not taken back. What programs write comes after
/// the files, each for itself: where one fails, the others go on.
///
/// # Errors
///
/// Where a file moved or could not be written. Every file is then as it was, and no program was run;
/// where one cannot be put back, the outcome says that it is applied. Where a program failed, the outcome
/// says which.
pub fn apply(
    plan: &Plan,
    vault: &Vault,
    key: &Key,
    runs: Option<&Runs>,
    platforms: Platforms<'_>,
) -> Result<Outcome, ApplyError> {
    let mut outcome = files(plan, vault, key, runs)?;
    let mut first = None;
    for (change, done) in plan.changes.iter().zip(&mut outcome.changes) {
        if cfg!(feature = "platforms")
            && Platforms::is_its(change)
            && let Err(fault) = platforms.write(change, vault, key)
        {
            done.status = Status::Failed;
            done.reason = Some(fault.to_string());
            first.get_or_insert(fault);
        }
    }
    match first {
        None => Ok(outcome),
        Some(fault) => Err(ApplyError { outcome, fault }),
    }
}

/// Changes all files or none.
fn files(
    plan: &Plan,
    vault: &Vault,
    key: &Key,
    runs: Option<&Runs>,
) -> Result<Outcome, ApplyError> {
    let failed = |fault| ApplyError { outcome: outcome(plan, &|_| Status::Failed), fault };
    if plan.targets.is_empty() {
        return Ok(outcome(plan, &|_| Status::Applied));
    }
    // From before the last look until after the last write.
    let locks = plan.targets.iter().map(|target| (target.lock.as_ref(), &target.path));
    let _locks = GatewayLock::take_all(locks).map_err(failed)?;
    let writings = plan.targets.iter().map(|target| writing(plan, target, vault, key));
    let writings: Vec<Writing> = writings.collect::<Result<_, _>>().map_err(failed)?;
    match transact(writings, runs, None, key) {
        Ok(done) => Ok(Outcome {
            run: done.run,
            without_backup: done.without_backup,
            ..outcome(plan, &|_| Status::Applied)
        }),
        Err(aborted) => {
            let status = |change: &Change| {
                let is_its = |target: &Target| change.edit.place.file() == Some(target.file);
                plan.targets.iter().position(is_its).map_or(Status::Failed, |at| aborted.status(at))
            };
            let outcome = outcome(plan, &status);
            Err(ApplyError { outcome, fault: aborted.fault })
        }
    }
}

/// The outcome of a plan of which nothing is written.
pub(crate) fn unchanged(plan: &Plan) -> Outcome {
    outcome(plan, &|_| Status::Unchanged)
}

/// Removes what killed runs left beside a deployment's files, and nothing of a run that lives.
pub(crate) fn sweep(snapshot: &Snapshot) {
    recover::sweep(snapshot.files.iter().map(|file| (&file.path, file.lock.as_ref())));
}

fn writing(plan: &Plan, target: &Target, vault: &Vault, key: &Key) -> Result<Writing, ApplyFault> {
    let changes: Vec<&Change> = plan
        .changes
        .iter()
        .filter(|change| change.edit.place.file() == Some(target.file))
        .collect();
    let secret = changes.iter().any(|change| change.edit.new.is_secret());
    let original = replace::Original::open(&target.path, &target.digest, key)?;
    let new = content::edited(&original.bytes, &changes, target, vault)?;
    let attributes = original.attributes.clone();
    let attributes = if secret { attributes.private() } else { attributes };
    Ok(Writing { original, new, attributes, lock: target.lock.clone() })
}

fn outcome(plan: &Plan, status: &dyn Fn(&Change) -> Status) -> Outcome {
    let changes = plan.changes.iter().map(|change| ChangeOutcome {
        to: change.to.clone(),
        target: change.target.clone(),
        status: status(change),
        reason: None,
    });
    Outcome { changes: changes.collect(), ..Outcome::default() }
}

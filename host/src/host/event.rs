//! What happens in a run, for whoever wants to be told.

use std::{fmt, path::Path, sync::Arc};

use super::Proposal;
use crate::{
    apply::{Outcome, Recovery, RunState, RunsError},
    model::Snapshot,
};

/// Something that happened in a run. Holds no secret. Its [`Display`](fmt::Display) is a sentence for
/// an operator's log.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'e> {
    /// The installation's key could not be kept: fingerprints cannot be compared with those of
    /// other runs, and there is no backup.
    KeyNotKept(&'e str),
    /// Others have access to the key, so that no compiled policy is kept.
    KeyShared(&'e str),
    /// What the operator should know of how the policy was loaded.
    PolicyWarning(&'e str),
    /// The deployment was looked at.
    Observed(&'e Snapshot),
    /// The policy and the host's rules had their say.
    Proposed(&'e Proposal),
    /// Another run may write now, and this one waits.
    Waiting(&'e RunsError),
    /// There is nothing to keep another run away with, and nothing to take this one back with.
    NoTurn(&'e str),
    /// A run that was killed was mended.
    Recovered(&'e Recovery),
    /// Somebody else wrote a file in the meantime; it is looked at again.
    Moved(&'e Path),
    /// A plan was applied.
    Applied(&'e Outcome),
    /// The run stands in the journal.
    Recorded(&'e Path),
    /// The run could not be added to the journal. What was done is done.
    NotRecorded(&'e str),
    /// Another policy decides from now on, by its digest.
    PolicySwapped(&'e str),
    /// A policy was not taken in the place of the one that decides, and why.
    PolicyRejected(&'e str),
}

impl Event<'_> {
    /// Whether an operator should read it.
    #[must_use]
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Observed(_)
            | Self::Proposed(_)
            | Self::Moved(_)
            | Self::Applied(_)
            | Self::Recorded(_)
            | Self::PolicySwapped(_) => false,
            Self::KeyNotKept(_)
            | Self::KeyShared(_)
            | Self::PolicyWarning(_)
            | Self::Waiting(_)
            | Self::NoTurn(_)
            | Self::Recovered(_)
            | Self::NotRecorded(_)
            | Self::PolicyRejected(_) => true,
        }
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyNotKept(reason) => write!(f, "fingerprints are for this run only: {reason}"),
            Self::KeyShared(reason) => write!(f, "compiled policies are not kept: {reason}"),
            Self::PolicyWarning(words) => f.write_str(words),
            Self::Observed(snapshot) => write!(f, "{} was looked at", snapshot.deployment),
            Self::Proposed(proposal) => match proposal.plan() {
                Some(plan) => write!(f, "{} changes are wanted", plan.changes.len()),
                None => f.write_str("nothing can be changed"),
            },
            Self::Waiting(error) => write!(f, "waiting: {error}"),
            Self::NoTurn(reason) => {
                write!(f, "no backup, and no lock against another run: {reason}")
            }
            Self::Recovered(recovery) => recovered(f, recovery),
            Self::Moved(path) => {
                write!(f, "{} changed since it was looked at; looking again", path.display())
            }
            Self::Applied(outcome) => write!(f, "{} changes are applied", outcome.changes.len()),
            Self::Recorded(path) => write!(f, "the run is recorded in {}", path.display()),
            Self::NotRecorded(reason) => write!(f, "no journal: {reason}"),
            Self::PolicySwapped(digest) => write!(f, "the policy {digest} decides from now on"),
            Self::PolicyRejected(reason) => {
                write!(f, "the policy stays as it is, for the new one is rejected: {reason}")
            }
        }
    }
}

fn recovered(f: &mut fmt::Formatter<'_>, recovery: &Recovery) -> fmt::Result {
    let became = match recovery.state {
        RunState::Done => "all of it was there already",
        _ => "what it had changed is put back",
    };
    write!(f, "run {} was interrupted: {became}", recovery.run)?;
    recovery.left.iter().try_for_each(|path| {
        write!(f, "; {} was written by somebody else since, and is left", path.display())
    })
}

/// Whoever wants to be told.
#[derive(Clone)]
pub(crate) struct Observer(Arc<dyn Fn(&Event<'_>) + Send + Sync>);

impl Observer {
    pub(crate) fn new(tell: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self, event: Event<'_>) {
        (self.0)(&event);
    }
}

impl Default for Observer {
    fn default() -> Self {
        Self::new(|_| {})
    }
}

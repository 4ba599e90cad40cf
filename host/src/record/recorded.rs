//! A record as it is read back.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Digests, PolicyName};
use crate::{
    apply::{Outcome, Recovery, Status},
    check::Violation,
    decide::Answer,
    model::{Decision, Phase, Refusal, Severity, Snapshot},
    plan::{ChangeKind, Step, drifts},
    secret::Digest,
};

/// One run, as the journal tells it. What earlier versions did not write is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Recorded {
    /// Its number in the journal, from 1; what has gone from the journal has had one too.
    #[serde(skip)]
    pub number: u64,
    /// Fields that this version does not know, and has left out.
    #[serde(skip)]
    pub unknown: Vec<String>,
    /// `precedent.record/1`
    pub schema: String,
    /// When it ran, in seconds since 1970.
    pub at: u64,
    /// The verb of the command line, or the name that an embedding program gave.
    pub verb: String,
    /// Name of the deployment.
    pub deployment: String,
    /// Why the host asked.
    pub phase: Phase,
    /// Which policy was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyName>,
    /// Digests of what went in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<Digests>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// What was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The policy's no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// The host rules that the decision broke.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violations: Option<Vec<Violation>>,
    /// What was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<RecordedPlan>,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// How a run that was killed was mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A plan, to be shown: it cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedPlan {
    /// The edits.
    pub changes: Vec<RecordedChange>,
    /// What was left to the operator.
    pub steps: Vec<Step>,
    /// The files that were to change.
    pub targets: Vec<RecordedTarget>,
}

/// An edit, to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedChange {
    /// What it does.
    pub action: ChangeKind,
    /// The location that the secret came from, or that the reference names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The location, or the fact, that changed.
    pub to: String,
    /// The file and the place in it.
    pub target: String,
    /// The new value of a fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// Why.
    pub reason: String,
}

/// A file that was to change, and what it had to be still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedTarget {
    /// The file.
    pub path: PathBuf,
    /// Keyed digest of the bytes that were planned on.
    pub digest: Digest,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Came {
    /// Nothing was to change, and nothing drifted.
    InSync,
    /// Something drifted, was to change, or was found to be wrong, and stayed so.
    Drift,
    /// Files changed.
    Changed,
    /// The policy said no.
    Refused,
    /// The decision broke the host's rules.
    Violated,
    /// It failed.
    Failed,
    /// A run that was killed was mended.
    Mended,
}

impl Recorded {
    /// What the policy answered, with what it was asked; none where it did not.
    #[must_use]
    pub fn answer(&self) -> Option<(&Snapshot, Answer)> {
        let answer = match (&self.decision, &self.refusal) {
            (Some(decision), _) => Ok(decision.clone()),
            (None, Some(refusal)) => Err(refusal.clone()),
            (None, None) => return None,
        };
        Some((self.snapshot.as_ref()?, answer))
    }

    /// How many changes were planned.
    #[must_use]
    pub fn planned(&self) -> usize {
        self.plan.as_ref().map_or(0, |plan| plan.changes.len())
    }

    /// How many places were changed, and stayed so.
    #[must_use]
    pub fn changed(&self) -> usize {
        let changes = self.outcome.iter().flat_map(|outcome| &outcome.changes);
        let is_changed = |status| match status {
            Status::Applied => true,
            // What a run that failed put back is as it was; a rollback is there to put back.
            Status::RolledBack => self.error.is_none(),
            _ => false,
        };
        changes.filter(|change| is_changed(change.status)).count()
    }

    /// How many programs would have got another secret than the policy wanted, or none.
    #[must_use]
    pub fn drifting(&self) -> usize {
        let Some(snapshot) = &self.snapshot else { return 0 };
        let verdicts = self.decision.iter().flat_map(|decision| &decision.verdicts);
        verdicts.filter(|verdict| drifts(snapshot, verdict)).count()
    }

    /// What it came to, in a word.
    #[must_use]
    pub fn came(&self) -> Came {
        let found = self.snapshot.iter().flat_map(|snapshot| &snapshot.findings);
        let mut found = found.chain(self.decision.iter().flat_map(|decision| &decision.findings));
        if self.error.is_some() {
            Came::Failed
        } else if self.refusal.is_some() {
            Came::Refused
        } else if self.violations.is_some() {
            Came::Violated
        } else if self.recovery.is_some() {
            Came::Mended
        } else if self.changed() > 0 {
            Came::Changed
        } else if self.drifting() + self.planned() > 0
            || found.any(|finding| finding.severity == Severity::Error)
        {
            Came::Drift
        } else {
            Came::InSync
        }
    }
}

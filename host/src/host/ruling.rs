//! What the policy and the host's rules make of what was seen.

use crate::{
    Error,
    check::{Violation, Violations, check},
    config::Grants,
    decide::Policy,
    model::{Decision, Refusal, Severity, Snapshot},
    plan::{Plan, after, drifts, plan},
    secret::Vault,
};

/// What a run came to before anything is written.
#[derive(Debug)]
#[non_exhaustive]
pub struct Proposal {
    /// What was seen.
    pub snapshot: Snapshot,
    /// What the policy and the host's rules say.
    pub ruling: Ruling,
    /// Digest of the policy that was asked.
    pub policy: String,
    pub(crate) vault: Vault,
}

/// What the policy and the host's rules say.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ruling {
    /// A decision that keeps the rules, and what it comes to.
    Decided(Decision, Plan),
    /// The policy says no.
    Refused(Refusal),
    /// The decision breaks the host's rules.
    Violated(Decision, Violations),
}

impl Proposal {
    /// The plan, if there is one.
    #[must_use]
    pub fn plan(&self) -> Option<&Plan> {
        match &self.ruling {
            Ruling::Decided(_, plan) => Some(plan),
            _ => None,
        }
    }

    /// The decision, if there is one, even where it breaks the rules.
    #[must_use]
    pub fn decision(&self) -> Option<&Decision> {
        match &self.ruling {
            Ruling::Decided(decision, _) | Ruling::Violated(decision, _) => Some(decision),
            Ruling::Refused(_) => None,
        }
    }

    /// Whether nothing drifts, nothing is to change, and neither host nor policy found an error.
    #[must_use]
    pub fn is_in_order(&self) -> bool {
        let Ruling::Decided(decision, plan) = &self.ruling else {
            return false;
        };
        let mut findings = self.snapshot.findings.iter().chain(&decision.findings);
        plan.is_empty() && !self.drifts() && findings.all(|f| f.severity < Severity::Error)
    }

    /// Whether a consumer would today get another secret than the decision wants, or fail.
    #[must_use]
    pub fn drifts(&self) -> bool {
        self.decision().is_some_and(|decision| {
            decision.verdicts.iter().any(|verdict| drifts(&self.snapshot, verdict))
        })
    }
}

/// Decides on a snapshot, checks and plans, and sees that deciding again after the plan would
/// change nothing more.
///
/// # Errors
///
/// Where the policy cannot answer.
pub fn rule(policy: &Policy, grants: &Grants, snapshot: &Snapshot) -> Result<Ruling, Error> {
    let decision = match policy.decide(snapshot)? {
        Ok(decision) => decision,
        Err(refusal) => return Ok(Ruling::Refused(refusal)),
    };
    let checked = match check(snapshot, decision.clone(), grants) {
        Ok(checked) => checked,
        Err(violations) => return Ok(Ruling::Violated(decision, violations)),
    };
    let planned = plan(&checked);
    if let Some(violation) = oscillates(policy, grants, snapshot, &planned)? {
        return Ok(Ruling::Violated(decision, Violations(vec![violation])));
    }
    Ok(Ruling::Decided(decision, planned))
}

fn oscillates(
    policy: &Policy,
    grants: &Grants,
    snapshot: &Snapshot,
    planned: &Plan,
) -> Result<Option<Violation>, Error> {
    if planned.is_empty() {
        return Ok(None);
    }
    let then = after(snapshot, planned);
    let again = match policy.decide(&then)? {
        Ok(decision) => decision,
        Err(refusal) => {
            return Ok(Some(Violation {
                rule: "oscillates".into(),
                message: format!("after its own plan the policy refuses: {}", refusal.reason),
            }));
        }
    };
    let changes = match check(&then, again, grants) {
        Ok(checked) => plan(&checked).changes,
        Err(Violations(found)) => {
            return Ok(found.into_iter().next().map(|first| Violation {
                rule: "oscillates".into(),
                message: format!("after its own plan: {}", first.message),
            }));
        }
    };
    let trace = |changes: &[crate::plan::Change]| {
        let steps: Vec<String> = changes
            .iter()
            .map(|change| match &change.from {
                Some(from) => format!("{from} -> {}", change.to),
                None => change.to.clone(),
            })
            .collect();
        steps.join(", ")
    };
    Ok((!changes.is_empty()).then(|| Violation {
        rule: "oscillates".into(),
        message: format!(
            "the policy is never done: after {} it wants {}",
            trace(&planned.changes),
            trace(&changes)
        ),
    }))
}

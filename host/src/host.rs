//! Runs the stages.

use crate::{
    Error,
    apply::{ApplyError, Outcome, apply},
    check::{Violation, Violations, check},
    config::Deployment,
    decide::Policy,
    model::{Decision, Phase, Refusal, Severity, Snapshot},
    observe::{Observed, World, observe},
    plan::{Plan, after, drifts, plan},
    secret::{Key, Vault},
};

/// A policy, a deployment and a key: all that a run needs beside the world it looks at.
#[derive(Debug)]
pub struct Host {
    deployment: Deployment,
    policy: Policy,
    key: Key,
}

/// What a run came to before anything is written.
#[derive(Debug)]
#[non_exhaustive]
pub struct Proposal {
    /// What was seen.
    pub snapshot: Snapshot,
    /// What the policy and the host's rules say.
    pub ruling: Ruling,
    vault: Vault,
}

/// What was seen, and what kept the policy from answering.
#[derive(Debug)]
pub struct Undecided {
    /// What was seen.
    pub snapshot: Snapshot,
    /// What went wrong.
    pub error: Error,
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

impl Host {
    /// Has the policy check the deployment's settings, and keeps all three.
    ///
    /// # Errors
    ///
    /// Where the policy refuses the settings.
    pub fn new(deployment: Deployment, policy: Policy, key: Key) -> Result<Self, Error> {
        policy.validate_settings(&deployment.settings)?;
        Ok(Self { deployment, policy, key })
    }

    /// The deployment.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The policy.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Observes, decides, checks and plans. Writes nothing.
    ///
    /// # Errors
    ///
    /// Where the policy cannot answer. Its no, and a decision that breaks the rules, are a
    /// [`Ruling`].
    pub fn propose(&self, world: &dyn World, phase: Phase, now: u64) -> Result<Proposal, Error> {
        self.consider(self.observe(world, phase, now)).map_err(|undecided| undecided.error)
    }

    /// Observes.
    #[must_use]
    pub fn observe(&self, world: &dyn World, phase: Phase, now: u64) -> Observed {
        observe(&self.deployment, world, &self.key, phase, now)
    }

    /// Decides, checks and plans on what was seen.
    ///
    /// # Errors
    ///
    /// Where the policy cannot answer; with the snapshot, for the record.
    pub fn consider(&self, observed: Observed) -> Result<Proposal, Box<Undecided>> {
        let Observed { snapshot, vault } = observed;
        match self.rule(&snapshot) {
            Ok(ruling) => Ok(Proposal { snapshot, ruling, vault }),
            Err(error) => Err(Box::new(Undecided { snapshot, error })),
        }
    }

    /// Decides on a snapshot, checks and plans, and sees that deciding again after the plan would
    /// change nothing more.
    fn rule(&self, snapshot: &Snapshot) -> Result<Ruling, Error> {
        let decision = match self.policy.decide(snapshot)? {
            Ok(decision) => decision,
            Err(refusal) => return Ok(Ruling::Refused(refusal)),
        };
        let checked = match check(snapshot, decision.clone(), &self.deployment.grants) {
            Ok(checked) => checked,
            Err(violations) => return Ok(Ruling::Violated(decision, violations)),
        };
        let planned = plan(&checked);
        if let Some(violation) = self.oscillates(snapshot, &planned)? {
            return Ok(Ruling::Violated(decision, Violations(vec![violation])));
        }
        Ok(Ruling::Decided(decision, planned))
    }

    fn oscillates(&self, snapshot: &Snapshot, planned: &Plan) -> Result<Option<Violation>, Error> {
        if planned.is_empty() {
            return Ok(None);
        }
        let then = after(snapshot, planned);
        let again = match self.policy.decide(&then)? {
            Ok(decision) => decision,
            Err(refusal) => {
                return Ok(Some(Violation {
                    rule: "oscillates",
                    message: format!("after its own plan the policy refuses: {}", refusal.reason),
                }));
            }
        };
        let changes = match check(&then, again, &self.deployment.grants) {
            Ok(checked) => plan(&checked).changes,
            Err(Violations(found)) => {
                return Ok(found.into_iter().next().map(|first| Violation {
                    rule: "oscillates",
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
            rule: "oscillates",
            message: format!(
                "the policy is never done: after {} it wants {}",
                trace(&planned.changes),
                trace(&changes)
            ),
        }))
    }

    /// Applies what was proposed. A proposal without a plan has nothing to apply.
    ///
    /// # Errors
    ///
    /// Where a file moved or could not be written; each is then as it was.
    pub fn apply(&self, proposal: &Proposal) -> Result<Outcome, ApplyError> {
        match proposal.plan() {
            Some(plan) => apply(plan, &proposal.vault, &self.key),
            None => Ok(Outcome::default()),
        }
    }
}

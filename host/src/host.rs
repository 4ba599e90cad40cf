//! Runs the stages.

use std::collections::{BTreeSet, HashMap};

use secrecy::SecretString;

use crate::{
    Error,
    apply::{ApplyError, Outcome, Recovery, Runs, RunsError, apply, sweep, unchanged},
    check::{Violation, Violations, check},
    config::{Deployment, Mode},
    decide::Policy,
    model::{
        ConsumerId, Decision, LocationId, Phase, Presence, Refusal, Severity, Snapshot, Standing,
        Verdict,
    },
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

    /// Observes as if one attribute of the deployment were another: what would be under another
    /// version, say.
    #[must_use]
    pub fn observe_as(
        &self,
        world: &dyn World,
        phase: Phase,
        now: u64,
        (name, value): (&str, &str),
    ) -> Observed {
        let mut deployment = self.deployment.clone();
        deployment.attributes.insert(name.to_owned(), value.to_owned());
        observe(&deployment, world, &self.key, phase, now)
    }

    /// Puts a new secret beside what was seen: see [`Observed::bring`].
    pub fn bring(&self, observed: &mut Observed, credential: &str, secret: SecretString) -> bool {
        observed.bring(&self.key, credential, secret)
    }

    /// For each consumer, the copies that it would use in turn if each before it vanished; today's is
    /// the first. The policy is asked anew for each, so this is what it knows, not what we guess.
    ///
    /// # Errors
    ///
    /// Where the policy cannot answer.
    pub fn shadows(
        &self,
        snapshot: &Snapshot,
        decision: &Decision,
    ) -> Result<Vec<(ConsumerId, Vec<LocationId>)>, Error> {
        let mut asked: HashMap<BTreeSet<LocationId>, Vec<Verdict>> = HashMap::new();
        let mut shadows = Vec::new();
        for verdict in &decision.verdicts {
            let mut copies = Vec::new();
            let mut standing = verdict.today;
            while let Standing::Copy(id) = standing
                && !copies.contains(&id)
            {
                copies.push(id);
                let gone: BTreeSet<LocationId> = copies.iter().copied().collect();
                if !asked.contains_key(&gone) {
                    let verdicts = self.without(snapshot, &gone)?;
                    asked.insert(gone.clone(), verdicts);
                }
                let then = asked.get(&gone).into_iter().flatten();
                let then = then.into_iter().find(|then| then.consumer == verdict.consumer);
                standing = then.map_or(Standing::Nothing, |then| then.today);
            }
            shadows.push((verdict.consumer, copies));
        }
        Ok(shadows)
    }

    fn without(
        &self,
        snapshot: &Snapshot,
        gone: &BTreeSet<LocationId>,
    ) -> Result<Vec<Verdict>, Error> {
        let mut then = snapshot.clone();
        for id in gone {
            if let Some(location) = then.locations.get_mut(id.index()) {
                location.presence = Presence::Absent;
            }
        }
        Ok(self.policy.decide(&then)?.map_or_else(|_| Vec::new(), |decision| decision.verdicts))
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

    /// Mends the runs of this deployment that were killed. To be called before it is looked at.
    ///
    /// # Errors
    ///
    /// Where a file can neither be left as it is nor be put back.
    pub fn recover(&self, runs: &Runs) -> Result<Vec<Recovery>, RunsError> {
        match self.deployment.mode {
            Mode::Enforce => runs.recover(&self.key),
            Mode::Audit => Ok(Vec::new()),
        }
    }

    /// Applies what was proposed. A proposal without a plan has nothing to apply, and in a deployment
    /// that is audited nothing is written. Without `runs` another run may write at the same time, only
    /// one file can be changed, and it cannot be taken back.
    ///
    /// # Errors
    ///
    /// Where a file moved or could not be written; each is then as it was.
    pub fn apply(&self, proposal: &Proposal, runs: Option<&Runs>) -> Result<Outcome, ApplyError> {
        match (proposal.plan(), self.deployment.mode) {
            (Some(plan), Mode::Enforce) => {
                sweep(&proposal.snapshot);
                apply(plan, &proposal.vault, &self.key, runs)
            }
            (Some(plan), Mode::Audit) => Ok(unchanged(plan)),
            (None, _) => Ok(Outcome::default()),
        }
    }
}

//! What every node does with its assignment: sees that it is newer than the last, decides once more on what is
//! true here by now, keeps its own grants, and applies.

use std::collections::{BTreeSet, HashMap};

use secrecy::SecretString;

use super::{
    Assignment, FleetError, NodeState, Roster, Send,
    kept::FleetFolder,
    signed,
    view::{Foreign, merge},
};
use crate::{
    Host, Proposal, Ruling,
    apply::Status,
    model::Severity,
    plan::{Change, Plan, Step},
    secret::{Fingerprint, Key},
};

/// Secrets of other nodes that came for this one, for as long as it takes to write them.
#[derive(Default)]
pub struct Hand {
    secrets: HashMap<Fingerprint, SecretString>,
}

impl std::fmt::Debug for Hand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Hand({} secrets)", self.secrets.len())
    }
}

impl Hand {
    pub(super) fn take(&mut self, fingerprint: Fingerprint, secret: SecretString) {
        self.secrets.insert(fingerprint, secret);
    }

    pub(super) fn secret(&self, fingerprint: Fingerprint) -> Option<&SecretString> {
        self.secrets.get(&fingerprint)
    }

    /// Drops them all: they are overwritten.
    pub(super) fn drop_all(&mut self) {
        self.secrets.clear();
    }
}

/// Whether an assignment is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Accepted {
    /// It is newer than what this node follows, and is kept.
    New(Box<Assignment>),
    /// It is what this node follows.
    Known,
    /// It is not followed, and why.
    Not(String),
}

/// What came of carrying out an assignment.
#[derive(Debug)]
#[non_exhaustive]
pub struct Carried {
    /// How this node stands.
    pub state: NodeState,
    /// What it needs of others before it can go on, with the node that each is of.
    pub needs: Vec<(String, Send)>,
    /// What was changed.
    pub changed: Vec<String>,
    /// What is left to a person after that.
    pub steps: Vec<String>,
}

/// Looks at what stands in the store for this node. What is followed is kept on the disk first.
pub(super) fn accept(
    roster: &Roster,
    folder: &FleetFolder,
    (followed, follows): (u64, Option<&Assignment>),
    bytes: &[u8],
) -> Result<Accepted, FleetError> {
    let assignment = match signed::read::<Assignment>(roster, bytes) {
        Ok(assignment) => assignment,
        Err(why) => return Ok(Accepted::Not(why.to_string())),
    };
    let Assignment { node, leader, generation, .. } = &assignment;
    if !roster.may_lead(leader) {
        return Ok(Accepted::Not(format!(
            "{leader} decided it, which is none of the leaders of this node's manifest"
        )));
    }
    if node != roster.me() {
        return Ok(Accepted::Not(format!("it is for {node}")));
    }
    if *generation == followed {
        return Ok(match follows {
            Some(known) if *known == assignment => Accepted::Known,
            _ => Accepted::Not(format!(
                "it has the number of what this node followed last ({followed}), and is another one"
            )),
        });
    }
    if *generation < followed {
        return Ok(Accepted::Not(format!(
            "it is generation {generation}, and this node follows {followed}: an older one is never applied over a newer one"
        )));
    }
    folder.keep_assignment(bytes)?;
    Ok(Accepted::New(Box::new(assignment)))
}

/// The node, and what it goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Follower<'f> {
    pub(super) host: &'f Host,
    pub(super) roster: &'f Roster,
    pub(super) key: &'f Key,
    /// The credentials that are being rotated: nothing else is done with them.
    pub(super) rotated: &'f BTreeSet<String>,
}

impl Follower<'_> {
    /// Decides once more on what is true here by now, and applies it. Copies of `gone` nodes are not shown.
    pub(super) fn carry_out(
        &self,
        assignment: &Assignment,
        hand: &Hand,
        gone: &BTreeSet<String>,
    ) -> Result<Carried, FleetError> {
        let policy = self.host.policy();
        let terms = &assignment.terms;
        if terms.policy != policy.digest() {
            let why = format!(
                "{} decided with another policy ({}) than this node has ({}); give both the same",
                assignment.leader,
                terms.policy,
                policy.digest()
            );
            return Ok(Carried::of(NodeState::Failed(why)));
        }
        if let Err(error) = policy.validate_settings(&terms.settings) {
            return Ok(Carried::of(NodeState::Failed(error.to_string())));
        }
        let installation = self.host.installation();
        let turn = installation.turn(terms.phase)?;
        let proposal = self.proposal(assignment, hand, gone)?;
        let needs = self.needs(&proposal, assignment, hand);
        if !needs.is_empty() {
            let whose: BTreeSet<&str> = needs.iter().map(|(node, _)| node.as_str()).collect();
            let whose: Vec<&str> = whose.into_iter().collect();
            let state = NodeState::Waiting(format!("for secrets of {}", whose.join(", ")));
            return Ok(Carried { needs, ..Carried::of(state) });
        }
        let Some(plan) = proposal.plan().filter(|plan| !plan.changes().is_empty()) else {
            return Ok(Carried::of(state(&proposal)));
        };
        if let Some(credential) = self.rotated(&proposal, plan) {
            let what = format!("for the rotation of {credential}");
            return Ok(Carried::of(NodeState::Waiting(what)));
        }
        let applied = turn.apply(&proposal);
        self.host.record(&proposal, Some(&applied));
        let outcome = match applied {
            Ok(outcome) => outcome,
            Err(error) => return Ok(Carried::failed(error.to_string())),
        };
        let done = plan.changes().iter().zip(&outcome.changes);
        let done = done.filter(|(_, came)| came.status == Status::Applied);
        let changed: Vec<String> = done.map(|(change, _)| change.in_words()).collect();
        // Where nothing was written, nothing need follow.
        let steps = if changed.is_empty() { &[] } else { plan.steps() };
        let steps = steps.iter().map(in_words).collect();
        // What is true now, as the next run will see it.
        let state = state(&self.proposal(assignment, hand, gone)?);
        Ok(Carried { state, needs: Vec::new(), changed, steps })
    }

    /// What the policy says by now of what is here, with what of the others it was assigned to be shown.
    pub(super) fn proposal(
        &self,
        assignment: &Assignment,
        hand: &Hand,
        gone: &BTreeSet<String>,
    ) -> Result<Proposal, FleetError> {
        let terms = &assignment.terms;
        let installation = self.host.installation();
        let mut observed = installation.observe(terms.phase);
        observed.snapshot.settings = terms.settings.clone();
        let view: Vec<Foreign> =
            terms.view.iter().filter(|one| !gone.contains(&one.node)).cloned().collect();
        merge(&mut observed, installation.own_key(), self.key, &view, hand);
        Ok(self.host.plan(observed)?)
    }

    /// The credential of a plan that is being rotated, if one is.
    fn rotated<'p>(&self, proposal: &'p Proposal, plan: &Plan) -> Option<&'p str> {
        let credential = |change: &Change| {
            let (_, location) = proposal.snapshot.location_named(&change.to)?;
            Some(proposal.snapshot.credential(location.credential))
        };
        let credentials = plan.changes().iter().filter_map(credential);
        credentials.into_iter().find(|credential| self.rotated.contains(*credential))
    }

    fn needs(
        &self,
        proposal: &Proposal,
        assignment: &Assignment,
        hand: &Hand,
    ) -> Vec<(String, Send)> {
        let changes = proposal.plan().map(|plan| plan.changes()).unwrap_or_default();
        let foreign = |name: &String| assignment.terms.view.iter().find(|one| one.name() == *name);
        let foreign = changes.iter().filter_map(|change| change.from.as_ref().and_then(foreign));
        let mut needs = BTreeSet::new();
        for one in foreign {
            let is_here = |name: &str| {
                let found = proposal.snapshot.location_named(name);
                found.is_some_and(|(id, _)| proposal.vault.expose(id).is_some())
            };
            if let Some(fingerprint) = one.copy.presence.fingerprint()
                && hand.secret(fingerprint).is_none()
                && !is_here(&one.name())
            {
                needs.insert((one.node.clone(), Send::new(self.roster.me(), one, fingerprint)));
            }
        }
        needs.into_iter().collect()
    }
}

impl Carried {
    /// It could not be carried out, and why.
    pub(super) fn failed(why: String) -> Self {
        Self::of(NodeState::Failed(why))
    }

    fn of(state: NodeState) -> Self {
        Self { state, needs: Vec::new(), changed: Vec::new(), steps: Vec::new() }
    }
}

fn in_words(step: &Step) -> String {
    match step {
        Step::Restart { consumer, reason } => format!("restart {consumer}: {reason}"),
        Step::Alert { message, .. } => message.clone(),
    }
}

/// How a node stands by what was decided of what is there.
fn state(proposal: &Proposal) -> NodeState {
    match &proposal.ruling {
        Ruling::Refused(refusal) => {
            NodeState::Refused(format!("{}: {}", refusal.code, refusal.reason))
        }
        Ruling::Violated(_, violations) => NodeState::Violated(violations.to_string()),
        Ruling::Decided(..) if proposal.is_in_order() => NodeState::InOrder,
        Ruling::Decided(decision, _) => {
            let findings = proposal.snapshot.findings.iter().chain(&decision.findings);
            let mut worst =
                findings.filter(|one| one.severity == Severity::Error).map(|one| &one.message);
            let why = worst.next().cloned();
            NodeState::Drift(
                why.unwrap_or_else(|| "a program uses another copy than it should".to_owned()),
            )
        }
    }
}

//! What a disagreement does: which calls fail of it, which go on, and of which that is not known.
//!
//! A secret that differs in one place rarely stops everything. What needs it fails, with an error that says
//! nothing of a secret, and the rest goes on, so that nobody looks.

use serde::Serialize;

use crate::{
    config::{CallSpec, Deployment},
    model::{Consumer, Decision, Presence, Snapshot, Standing, Verdict},
    plan::drifts,
};

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CallState {
    /// It goes on.
    Works,
    /// A copy that it depends on could not be compared.
    NotKnown,
    /// A program that it is done by does not get the secret that it should.
    Fails,
}

/// A call, what becomes of it, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallImpact {
    /// What people call it.
    pub call: String,
    /// What becomes of it.
    pub state: CallState,
    /// Why, a sentence for each program that it depends on; empty where it goes on.
    pub because: Vec<String>,
}

/// How a deployment is as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Health {
    /// Every call goes on.
    Up,
    /// Nothing is known to fail, but not all could be compared.
    Uncertain,
    /// Some calls fail, and the rest goes on.
    Degraded,
    /// Every call that needs a credential fails.
    Down,
}

/// What a decision means for the calls of a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Impact {
    /// How it is as a whole.
    pub health: Health,
    /// The calls, in the order of the deployment.
    pub calls: Vec<CallImpact>,
}

impl Impact {
    /// The calls of which a state is true.
    pub fn calls_that(&self, state: CallState) -> impl Iterator<Item = &CallImpact> {
        self.calls.iter().filter(move |call| call.state == state)
    }
}

/// What is true today of the calls of a deployment; none where it declares none.
#[must_use]
pub fn impact(deployment: &Deployment, snapshot: &Snapshot, decision: &Decision) -> Option<Impact> {
    let calls: Vec<CallImpact> =
        deployment.calls.iter().map(|call| one(call, snapshot, decision)).collect();
    let needing = || deployment.calls.iter().zip(&calls).filter(|(spec, _)| !spec.needs.is_empty());
    let fails = |(_, call): (_, &CallImpact)| call.state == CallState::Fails;
    let worst = calls.iter().map(|call| call.state).max()?;
    let health = match worst {
        CallState::Works => Health::Up,
        CallState::NotKnown => Health::Uncertain,
        CallState::Fails if needing().all(fails) => Health::Down,
        CallState::Fails => Health::Degraded,
    };
    Some(Impact { health, calls })
}

fn one(call: &CallSpec, snapshot: &Snapshot, decision: &Decision) -> CallImpact {
    let mut state = CallState::Works;
    let mut because = Vec::new();
    for verdict in &decision.verdicts {
        let Some(consumer) = snapshot.consumers.get(verdict.consumer.index()) else { continue };
        let is_its = call.by.is_empty() || call.by.contains(&consumer.name);
        if !is_its || !call.needs.contains(&consumer.credential) {
            continue;
        }
        let (one, why) = standing(snapshot, consumer, verdict);
        if one == CallState::Works {
            continue;
        }
        // What is certain is not mixed with what is not.
        if one > state {
            because.clear();
        }
        state = state.max(one);
        if one == state {
            because.push(why);
        }
    }
    CallImpact { call: call.name.clone(), state, because }
}

fn standing(snapshot: &Snapshot, consumer: &Consumer, verdict: &Verdict) -> (CallState, String) {
    let (name, credential) = (&consumer.name, snapshot.credential(consumer.credential));
    let whose = match &consumer.node {
        Some(node) => format!("{name} on {node}"),
        None => name.clone(),
    };
    let label = |id| snapshot.label_of(id);
    if drifts(snapshot, verdict) {
        let why = match (verdict.today, verdict.wanted) {
            (Standing::Copy(today), Some(wanted)) => {
                format!("{whose} uses {}, which differs from {}", label(today), label(wanted))
            }
            (Standing::Unresolved(at), _) => {
                format!("{whose} stops at a reference in {} that leads nowhere", label(at))
            }
            (Standing::Invalid, _) => format!("{whose} cannot read its configuration"),
            _ => format!("{whose} has no {credential}"),
        };
        return (CallState::Fails, why);
    }
    let presence = |id| snapshot.location(id).map(|location| &location.presence);
    let is_hidden = |id| {
        presence(id).is_none_or(|presence| {
            presence.is_elsewhere() || matches!(presence, Presence::Unreadable(_))
        })
    };
    match (verdict.today, verdict.wanted) {
        (Standing::Copy(today), _) if is_hidden(today) => {
            let why = format!("{whose} uses {}, which cannot be compared", label(today));
            (CallState::NotKnown, why)
        }
        (_, None) => {
            let why = format!("it is not known which {credential} {whose} should use");
            (CallState::NotKnown, why)
        }
        _ => (CallState::Works, String::new()),
    }
}

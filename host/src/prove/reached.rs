//! What a policy says and does, over many states.

use std::collections::{BTreeSet, HashSet};

use crate::{
    decide::Answer,
    model::{Place, Presence, Snapshot, named},
};

/// What a policy says and does, over many states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reached {
    /// The reasons of its verdicts, actions and refusals, with `…` for the names in them.
    pub reasons: BTreeSet<String>,
    /// The codes of its findings and refusals.
    pub findings: BTreeSet<String>,
    /// Its actions, without their reasons.
    pub actions: BTreeSet<String>,
    /// What locations held, as `LOCATION: STATE`.
    pub states: BTreeSet<String>,
    /// The reasons as they were given, each looked at once.
    given: HashSet<String>,
}

impl Reached {
    /// Adds an answer, and the state in which it was given.
    pub fn add(&mut self, snapshot: &Snapshot, answer: &Answer) {
        for location in &snapshot.locations {
            // What a caller hands over, and what was not declared, is no place of the deployment's.
            let expired = location.expires.is_some_and(|expires| expires <= snapshot.now);
            if location.place != Place::Argument {
                let state = state(&location.presence, expired);
                keep(&mut self.states, &format!("{}: {state}", location.name));
            }
        }
        let decision = match answer {
            Ok(decision) => decision,
            Err(refusal) => {
                self.reason(snapshot, &refusal.reason);
                keep(&mut self.findings, &refusal.code);
                return;
            }
        };
        decision.verdicts.iter().for_each(|verdict| self.reason(snapshot, &verdict.reason));
        for action in &decision.actions {
            self.reason(snapshot, &action.reason);
            keep(&mut self.actions, &named::deed(snapshot, &action.deed).to_string());
        }
        decision.findings.iter().for_each(|finding| keep(&mut self.findings, &finding.code));
    }

    fn reason(&mut self, snapshot: &Snapshot, reason: &str) {
        if self.given.insert(reason.to_owned()) {
            let nameless = nameless(snapshot, reason);
            keep(&mut self.reasons, &nameless);
        }
    }

    /// Adds what was reached elsewhere.
    pub fn merge(&mut self, other: Self) {
        self.reasons.extend(other.reasons);
        self.findings.extend(other.findings);
        self.actions.extend(other.actions);
        self.states.extend(other.states);
        self.given.extend(other.given);
    }
}

/// A reason with `…` for the programs, places and facts that it names, and one for a list of them:
/// what it says of one it may say of another.
fn nameless(snapshot: &Snapshot, reason: &str) -> String {
    let labels = snapshot.locations.iter().map(|location| location.label.as_str());
    let names = snapshot.consumers.iter().map(|consumer| consumer.name.as_str());
    let facts = snapshot.facts.values().filter_map(|fact| fact.value.as_deref());
    let mut all: Vec<&str> =
        labels.chain(names).chain(facts).filter(|name| name.len() > 2).collect();
    // Longer ones first, for they may hold shorter ones.
    all.sort_by_key(|name| std::cmp::Reverse(name.len()));
    let mut text = all.into_iter().fold(reason.to_owned(), |text, name| text.replace(name, "…"));
    for list in ["…, then …", "…, …"] {
        while text.contains(list) {
            text = text.replace(list, "…");
        }
    }
    text
}

/// Keeps a text, without a copy of what is there.
fn keep(texts: &mut BTreeSet<String>, text: &str) {
    if !texts.contains(text) {
        texts.insert(text.to_owned());
    }
}

/// What a location holds, in a word or two.
fn state(presence: &Presence, expired: bool) -> &'static str {
    match presence {
        Presence::Absent => "absent",
        Presence::Empty => "empty",
        Presence::Placeholder => "placeholder",
        Presence::Plain(_) if expired => "expired",
        Presence::Plain(_) => "plain",
        Presence::Reference(reference) if reference.resolved.is_some() => "reference resolved",
        Presence::Reference(_) if presence.is_elsewhere() => "reference elsewhere",
        Presence::Reference(_) => "reference unresolved",
        Presence::Unreadable(_) => "unreadable",
    }
}

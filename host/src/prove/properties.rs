//! What is to hold in every state.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::{
    check::{Checked, check},
    config::Grants,
    decide::{Answer, Policy},
    model::{Decision, Location, LocationId, Presence, Snapshot, Standing, named},
    plan::{Plan, after, drifts, needless, plan},
};

/// What is to hold in every state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Property {
    /// The policy answers, within its limits.
    Answers,
    /// Two runs give the same answer, for the same fuel.
    Repeats,
    /// The decision keeps the host's rules.
    KeepsRules,
    /// No action changes nothing, such as writing a secret where it is already.
    NoNeedlessAction,
    /// Deciding again after the plan changes nothing more.
    Converges,
    /// A run that is stopped after any of its changes is finished by the next.
    ResumesAnywhere,
    /// In the end all programs that read a credential get one secret, unless the decision says
    /// that they do not: by a finding that names a copy of it, or a verdict that wants none.
    EndsAlike,
}

impl Property {
    /// All of them, in the order in which they are looked at.
    pub const ALL: [Self; 7] = [
        Self::Answers,
        Self::Repeats,
        Self::KeepsRules,
        Self::NoNeedlessAction,
        Self::Converges,
        Self::ResumesAnywhere,
        Self::EndsAlike,
    ];

    /// In a few words.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Answers => "answers, within its limits",
            Self::Repeats => "two runs give the same answer, for the same fuel",
            Self::KeepsRules => "every decision keeps the host's rules",
            Self::NoNeedlessAction => "no action where nothing would change",
            Self::Converges => "deciding again after the plan changes nothing more",
            Self::ResumesAnywhere => "a run stopped after any change is finished by the next",
            Self::EndsAlike => "all programs end on one secret, or the decision says why not",
        }
    }
}

/// A property that does not hold in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which.
    pub property: Property,
    /// What happened instead.
    pub message: String,
}

/// What a state was looked at for, and what the policy answered.
#[derive(Debug)]
pub(crate) struct Examined {
    pub(crate) answer: Option<Answer>,
    pub(crate) failure: Option<Failure>,
}

/// Asks a policy in one state, and sees what holds of the answer.
pub(crate) fn examine(policy: &Policy, snapshot: &Snapshot, grants: &Grants) -> Examined {
    let mut answer = None;
    let failure = hold(policy, snapshot, grants, &mut answer).err();
    Examined { answer, failure }
}

fn hold(
    policy: &Policy,
    snapshot: &Snapshot,
    grants: &Grants,
    answer: &mut Option<Answer>,
) -> Result<(), Failure> {
    let decide = |snapshot: &Snapshot, when: &str| {
        policy
            .decide_metered(snapshot)
            .map_err(|error| failure(Property::Answers, format!("{when}{error}")))
    };
    let (first, fuel) = decide(snapshot, "")?;
    let (second, fuel_again) = decide(snapshot, "asked again: ")?;
    let same = first == second;
    let decision = answer.insert(first).clone();
    if !same {
        return Err(failure(Property::Repeats, "two runs gave two answers".to_owned()));
    }
    if fuel != fuel_again {
        let words = |fuel: Option<u64>| fuel.map_or("none".to_owned(), |fuel| fuel.to_string());
        let (one, other) = (words(fuel), words(fuel_again));
        let message = format!("two runs took different fuel: {one} and {other}");
        return Err(failure(Property::Repeats, message));
    }
    let Ok(decision) = decision else { return Ok(()) };
    let checked = kept(snapshot, decision, grants, Property::KeepsRules, "")?;
    if let Some(action) = needless(&checked).first() {
        let deed = named::deed_in_words(snapshot, &action.deed);
        let message = format!("{deed} changes nothing: that is so already");
        return Err(failure(Property::NoNeedlessAction, message));
    }
    let planned = plan(&checked);
    let ends = |from: &Snapshot, planned: &Plan, property: Property, when: &str| {
        let then = after(from, planned);
        let (again, _) = decide(&then, when)?;
        let again = again.map_err(|refusal| {
            let message = format!("{when}it refuses: {}: {}", refusal.code, refusal.reason);
            failure(property, message)
        })?;
        let checked = kept(&then, again, grants, property, when)?;
        let left = plan(&checked);
        if let Some(change) = left.changes().first() {
            let message = format!("{when}it still wants {}", change.in_words());
            return Err(failure(property, message));
        }
        let decision = checked.into_decision();
        Ok((then, decision))
    };
    let (then, end) = ends(snapshot, &planned, Property::Converges, "after its own plan ")?;
    for count in 1..planned.changes().len() {
        let when = format!("after the first {count} of its {} changes ", planned.changes().len());
        let stopped = after(snapshot, &planned.first(count));
        let (next, _) = decide(&stopped, &when)?;
        let next = next.map_err(|refusal| {
            let message = format!("{when}it refuses: {}: {}", refusal.code, refusal.reason);
            failure(Property::ResumesAnywhere, message)
        })?;
        let checked = kept(&stopped, next, grants, Property::ResumesAnywhere, &when)?;
        let rest = plan(&checked);
        ends(&stopped, &rest, Property::ResumesAnywhere, &format!("{when}and the next run "))?;
    }
    match apart(&then, &end) {
        Some(message) => Err(failure(Property::EndsAlike, message)),
        None => Ok(()),
    }
}

fn failure(property: Property, message: String) -> Failure {
    Failure { property, message }
}

fn kept<'s>(
    snapshot: &'s Snapshot,
    decision: Decision,
    grants: &Grants,
    property: Property,
    when: &str,
) -> Result<Checked<'s>, Failure> {
    check(snapshot, decision, grants).map_err(|violations| {
        let first = violations.0.into_iter().next();
        let message = first.map_or_else(String::new, |first| {
            format!("{when}it breaks the rule {}: {}", first.rule, first.message)
        });
        failure(property, message)
    })
}

/// Where the programs that read one credential end on different secrets, or without one that the
/// decision wants for them, and neither policy nor host says so.
fn apart(snapshot: &Snapshot, decision: &Decision) -> Option<String> {
    for (index, credential) in snapshot.credentials.iter().enumerate() {
        let is_its = |location: &Location| location.credential.index() == index;
        let of_it = |id: &LocationId| snapshot.location(*id).is_some_and(is_its);
        let told = decision.findings.iter().any(|finding| finding.locations.iter().any(of_it));
        // What cannot be read is a finding of the host, whatever comes of it; a reader of one part of a
        // document may refuse it for another.
        let files: Vec<_> = snapshot.locations.iter().filter(|l| is_its(l)).collect();
        let unreadable = snapshot.locations.iter().any(|location| {
            let beside = files
                .iter()
                .any(|its| its.place.file().is_some() && its.place.file() == location.place.file());
            matches!(location.presence, Presence::Unreadable(_)) && (is_its(location) || beside)
        });
        if told || unreadable {
            continue;
        }
        let mut ends: BTreeMap<Option<_>, BTreeSet<&str>> = BTreeMap::new();
        for verdict in decision.verdicts.iter().filter(|verdict| verdict.wanted.is_some()) {
            let Some(consumer) = snapshot.consumers.get(verdict.consumer.index()) else { continue };
            if consumer.credential.index() != index {
                continue;
            }
            let copy = match verdict.today {
                Standing::Copy(id) => snapshot.location(id),
                _ => None,
            };
            let secret = copy.and_then(|location| location.presence.fingerprint());
            // Which secret a store holds is not known here.
            if secret.is_some() || drifts(snapshot, verdict) {
                ends.entry(secret).or_default().insert(&consumer.name);
            }
        }
        if ends.len() > 1 || ends.contains_key(&None) {
            let side = |(secret, names): (&Option<_>, &BTreeSet<&str>)| {
                let names: Vec<&str> = names.iter().copied().collect();
                let what = if secret.is_some() { "one secret" } else { "none that it should" };
                format!("{} on {what}", names.join(", "))
            };
            let sides: Vec<String> = ends.iter().map(side).collect();
            return Some(format!(
                "{credential}: programs end apart ({}), and no finding names a copy of it",
                sides.join("; ")
            ));
        }
    }
    None
}

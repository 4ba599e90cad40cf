//! What a case expects, and where the answer differs.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

use crate::{
    check::Violations,
    decide::Answer,
    model::{Consumer, ConsumerId, Decision, Deed, Snapshot, Standing, Verdict},
    secret::Key,
};

/// Any part may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Expectations {
    /// By consumer, then by credential.
    consumers: BTreeMap<String, BTreeMap<String, ExpectedVerdict>>,
    /// All actions, in any order.
    actions: Option<Vec<Value>>,
    /// The codes of all findings, in any order.
    findings: Option<Vec<String>>,
    /// The code of the refusal, or null for none.
    #[serde(deserialize_with = "given")]
    refusal: Option<Option<String>>,
    /// The host rules that the decision breaks; none where it is left out.
    violations: Vec<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ExpectedVerdict {
    #[serde(deserialize_with = "given")]
    today: Option<Option<Stand>>,
    #[serde(deserialize_with = "given")]
    wanted: Option<Option<Stand>>,
}

/// A location's name, or what a consumer gets, in other words.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
enum Stand {
    Location(String),
    Value(GivenValue),
    Unresolved(GivenUnresolved),
    Generated(GivenGenerated),
    Invalid(GivenInvalid),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct GivenValue {
    #[serde(deserialize_with = "nullable")]
    value: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct GivenUnresolved {
    unresolved: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct GivenGenerated {
    generated: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct GivenInvalid {
    invalid: bool,
}

/// Tells a key that is null from one that is left out.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// A key that must be there, though it may be null.
fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer)
}

/// Where an answer differs from what is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// What was looked at.
    pub what: String,
    /// What the case says.
    pub expected: Value,
    /// What came out.
    pub actual: Value,
}

impl Mismatch {
    pub(super) fn new(expected: &str, what: &str, actual: &str) -> Self {
        Self { what: what.to_owned(), expected: json!(expected), actual: json!(actual) }
    }
}

impl Expectations {
    pub(super) fn compare(
        &self,
        snapshot: &Snapshot,
        answer: &Answer,
        violations: Option<&Violations>,
        key: &Key,
    ) -> Vec<Mismatch> {
        let mut found = Vec::new();
        let refusal = answer.as_ref().err().map(|refusal| refusal.code.clone());
        if let Some(expected) = &self.refusal
            && *expected != refusal
        {
            found.push(mismatch("refusal", json!(expected), json!(refusal)));
        }
        let Ok(decision) = answer else {
            if self.refusal.is_none() {
                found.push(mismatch("refusal", Value::Null, json!(refusal)));
            }
            return found;
        };
        self.compare_verdicts(snapshot, decision, key, &mut found);
        if let Some(expected) = &self.actions {
            let actual: Vec<Value> =
                decision.actions.iter().map(|action| deed(snapshot, &action.deed)).collect();
            if !same_set(expected, &actual) {
                found.push(mismatch("actions", json!(expected), json!(actual)));
            }
        }
        if let Some(expected) = &self.findings {
            let codes = snapshot.findings.iter().chain(&decision.findings);
            let actual: Vec<Value> = codes.map(|finding| json!(finding.code)).collect();
            let expected: Vec<Value> = expected.iter().map(|code| json!(code)).collect();
            if !same_set(&expected, &actual) {
                found.push(mismatch("findings", json!(expected), json!(actual)));
            }
        }
        let broken: Vec<Value> =
            violations.iter().flat_map(|v| &v.0).map(|violation| json!(violation.rule)).collect();
        let expected: Vec<Value> = self.violations.iter().map(|rule| json!(rule)).collect();
        if !same_set(&expected, &broken) {
            found.push(mismatch("violations", json!(expected), json!(broken)));
        }
        found
    }

    fn compare_verdicts(
        &self,
        snapshot: &Snapshot,
        decision: &Decision,
        key: &Key,
        found: &mut Vec<Mismatch>,
    ) {
        for (name, credentials) in &self.consumers {
            if !snapshot.consumers.iter().any(|consumer| consumer.name == *name) {
                found.push(mismatch("consumer", json!(name), json!("no such consumer")));
            }
            for (credential, expected) in credentials {
                let what = |part: &str| format!("{name} {credential} {part}");
                let is_it = |consumer: &&Consumer| {
                    consumer.name == *name && snapshot.credential(consumer.credential) == credential
                };
                let position = snapshot.consumers.iter().position(|c| is_it(&c));
                let verdict = position
                    .map(ConsumerId::from_index)
                    .and_then(|id| decision.verdicts.iter().find(|verdict| verdict.consumer == id));
                let Some(verdict) = verdict else {
                    let actual = "no such consumer, or no verdict for it";
                    found.push(mismatch(&what("verdict"), json!("a verdict"), json!(actual)));
                    continue;
                };
                if let Some(today) = &expected.today
                    && !is_today(snapshot, verdict, today.as_ref(), key)
                {
                    let actual = in_words(snapshot, verdict.today);
                    found.push(mismatch(&what("today"), json!(today), actual));
                }
                if let Some(wanted) = &expected.wanted
                    && !is_wanted(snapshot, verdict, wanted.as_ref(), key)
                {
                    let actual = verdict.wanted.map(|id| snapshot.name_of(id));
                    found.push(mismatch(&what("wanted"), json!(wanted), json!(actual)));
                }
            }
        }
    }
}

fn is_today(snapshot: &Snapshot, verdict: &Verdict, expected: Option<&Stand>, key: &Key) -> bool {
    match (expected, verdict.today) {
        (None, today) => today == Standing::Nothing,
        (Some(Stand::Location(name)), Standing::Copy(id)) => snapshot.name_of(id) == *name,
        (Some(Stand::Value(given)), Standing::Copy(id)) => has_value(snapshot, id, given, key),
        (Some(Stand::Value(given)), Standing::Nothing) => given.value.is_none(),
        (Some(Stand::Unresolved(given)), Standing::Unresolved(id)) => {
            snapshot.location(id).is_some_and(|location| location.label == given.unresolved)
        }
        (Some(Stand::Generated(given)), today) => given.generated == (today == Standing::Generated),
        (Some(Stand::Invalid(given)), today) => given.invalid == (today == Standing::Invalid),
        _ => false,
    }
}

fn is_wanted(snapshot: &Snapshot, verdict: &Verdict, expected: Option<&Stand>, key: &Key) -> bool {
    match (expected, verdict.wanted) {
        (None, wanted) => wanted.is_none(),
        (Some(Stand::Location(name)), Some(id)) => snapshot.name_of(id) == *name,
        (Some(Stand::Value(given)), Some(id)) => has_value(snapshot, id, given, key),
        (Some(Stand::Value(given)), None) => given.value.is_none(),
        _ => false,
    }
}

fn has_value(
    snapshot: &Snapshot,
    id: crate::model::LocationId,
    given: &GivenValue,
    key: &Key,
) -> bool {
    let fingerprint = snapshot.location(id).and_then(|location| location.presence.fingerprint());
    fingerprint == given.value.as_ref().map(|value| key.fingerprint(value.trim()))
}

fn in_words(snapshot: &Snapshot, standing: Standing) -> Value {
    match standing {
        Standing::Copy(id) => json!(snapshot.name_of(id)),
        Standing::Nothing => Value::Null,
        Standing::Unresolved(id) => {
            json!({"unresolved": snapshot.location(id).map(|location| &location.label)})
        }
        Standing::Generated => json!({"generated": true}),
        Standing::Invalid => json!({"invalid": true}),
    }
}

fn deed(snapshot: &Snapshot, deed: &Deed) -> Value {
    let name = |id| snapshot.name_of(id);
    match deed {
        Deed::Write { from, to } => json!({"write": {"from": name(*from), "to": name(*to)}}),
        Deed::Refer { from, to } => json!({"refer": {"from": name(*from), "to": name(*to)}}),
        Deed::Remove(id) => json!({"remove": name(*id)}),
        Deed::Mint { credential, to } => {
            json!({"mint": {"credential": snapshot.credential(*credential), "to": name(*to)}})
        }
        Deed::Refresh(id) => json!({"refresh": name(*id)}),
        Deed::SetFact { key, value } => json!({"set-fact": {"key": key, "value": value}}),
        Deed::Restart(id) => {
            json!({"restart": snapshot.consumers.get(id.index()).map(|consumer| &consumer.name)})
        }
        Deed::Alert { severity, message } => {
            json!({"alert": {"severity": severity, "message": message}})
        }
    }
}

fn mismatch(what: &str, expected: Value, actual: Value) -> Mismatch {
    Mismatch { what: what.to_owned(), expected, actual }
}

/// Whether two lists hold the same values, in any order; of an object too.
fn same_set(expected: &[Value], actual: &[Value]) -> bool {
    let mut left: Vec<&Value> = actual.iter().collect();
    expected.len() == actual.len()
        && expected.iter().all(|value| {
            let found = left.iter().position(|other| *other == value);
            found.map(|index| left.swap_remove(index)).is_some()
        })
}

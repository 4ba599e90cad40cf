//! What a case expects, and where the answer differs.

use std::collections::BTreeMap;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Value, json};

use crate::{
    check::Violations,
    decide::Answer,
    model::{Decision, Snapshot, Standing, Verdict, named},
    secret::Key,
};

/// Any part may be left out.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Expectations {
    /// By consumer, then by credential.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    consumers: BTreeMap<String, BTreeMap<String, ExpectedVerdict>>,
    /// All actions, in any order.
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<Vec<Value>>,
    /// The codes of all findings, in any order.
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<String>>,
    /// The code of the refusal, or null for none.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    refusal: Option<Option<String>>,
    /// The host rules that the decision breaks; none where it is left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<String>,
    /// That what `precedent policy prove` shows holds here.
    #[serde(skip_serializing_if = "super::state::is_false")]
    pub(crate) proven: bool,
    /// That what comes out is to be written here.
    #[serde(skip)]
    pub(super) record: bool,
}

/// Reads an object, or the word `record`.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Expectations, D::Error> {
    deserializer.deserialize_any(ReadExpectations)
}

struct ReadExpectations;

impl<'de> Visitor<'de> for ReadExpectations {
    type Value = Expectations;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("what is expected, an object, or \"record\"")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Expectations, E> {
        match word {
            "record" => Ok(Expectations { record: true, ..Expectations::default() }),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Expectations, A::Error> {
        Expectations::deserialize(MapAccessDeserializer::new(map))
    }
}

#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct ExpectedVerdict {
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    today: Option<Option<Stand>>,
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
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
    /// That what is proven of a policy holds.
    pub(crate) fn proven() -> Self {
        Self { proven: true, ..Self::default() }
    }

    /// All that came out.
    pub(crate) fn of(
        snapshot: &Snapshot,
        answer: &Answer,
        violations: Option<&Violations>,
    ) -> Self {
        let decision = match answer {
            Ok(decision) => decision,
            Err(refusal) => {
                return Self { refusal: Some(Some(refusal.code.clone())), ..Self::default() };
            }
        };
        let mut consumers: BTreeMap<String, BTreeMap<String, ExpectedVerdict>> = BTreeMap::new();
        for verdict in &decision.verdicts {
            let Some(consumer) = snapshot.consumers.get(verdict.consumer.index()) else { continue };
            let today = serde_json::from_value(named::standing(snapshot, verdict.today)).ok();
            let wanted = verdict.wanted.map(|id| Stand::Location(snapshot.name_of(id)));
            let expected = ExpectedVerdict { today, wanted: Some(wanted) };
            let credential = snapshot.credential(consumer.credential).to_owned();
            consumers.entry(consumer.name.clone()).or_default().insert(credential, expected);
        }
        let deeds = decision.actions.iter().map(|action| named::deed(snapshot, &action.deed));
        let findings = snapshot.findings.iter().chain(&decision.findings);
        let broken = violations.iter().flat_map(|violations| &violations.0);
        Self {
            consumers,
            actions: Some(deeds.collect()),
            findings: Some(findings.map(|finding| finding.code.clone()).collect()),
            refusal: Some(None),
            violations: broken.map(|violation| violation.rule.clone().into_owned()).collect(),
            ..Self::default()
        }
    }

    /// Whether anything could ever come out like this: every name that is expected is one of the
    /// deployment's, and every action is one.
    pub(super) fn possible(&self, snapshot: &Snapshot) -> Result<(), String> {
        let consumers = snapshot.consumers.iter().map(|consumer| consumer.name.as_str());
        let locations = snapshot.locations.iter().map(|location| location.name.as_str());
        let location = |name: &str| known("location", name, locations.clone());
        for (name, credentials) in &self.consumers {
            known("consumer", name, consumers.clone())?;
            for (credential, expected) in credentials {
                let read = snapshot.consumers.iter().filter(|consumer| consumer.name == *name);
                let read = read.map(|consumer| snapshot.credential(consumer.credential));
                known(&format!("credential of {name}"), credential, read)?;
                for stand in [&expected.today, &expected.wanted].into_iter().flatten().flatten() {
                    if let Stand::Location(name) = stand {
                        location(name)?;
                    }
                }
            }
        }
        for action in self.actions.iter().flatten() {
            for name in places(action)? {
                location(name)?;
            }
        }
        Ok(())
    }

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
                decision.actions.iter().map(|action| named::deed(snapshot, &action.deed)).collect();
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
                let verdict = named::verdict(snapshot, decision, name, credential);
                let Some(verdict) = verdict else {
                    let actual = "no such consumer, or no verdict for it";
                    found.push(mismatch(&what("verdict"), json!("a verdict"), json!(actual)));
                    continue;
                };
                if let Some(today) = &expected.today
                    && !is_today(snapshot, verdict, today.as_ref(), key)
                {
                    let actual = named::standing(snapshot, verdict.today);
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

/// Refuses a name that is none of the known.
fn known<'n>(
    what: &str,
    name: &str,
    all: impl Iterator<Item = &'n str> + Clone,
) -> Result<(), String> {
    if all.clone().any(|known| known == name) {
        return Ok(());
    }
    let mut names: Vec<&str> = all.collect();
    names.dedup();
    let names = names.join("`, `");
    Err(format!("it expects the {what} `{name}`, which is none of `{names}`"))
}

/// The locations that an expected action names.
fn places(action: &Value) -> Result<Vec<&str>, String> {
    let none = || {
        format!(
            "it expects the action {action}, which is none: one of {{\"write\": {{\"from\", \"to\"}}}}, {{\"refer\": {{\"from\", \"to\"}}}}, {{\"remove\": LOCATION}}, {{\"mint\": {{\"credential\", \"to\"}}}}, {{\"refresh\": LOCATION}}, {{\"set-fact\": {{\"key\", \"value\"}}}}, {{\"restart\": CONSUMER}}, {{\"alert\": {{\"severity\", \"message\"}}}}"
        )
    };
    let object = action.as_object().filter(|object| object.len() == 1);
    let (kind, of) = object.and_then(|object| object.iter().next()).ok_or_else(none)?;
    let all = |keys: [&str; 2]| {
        let object = of.as_object().filter(|object| object.len() == 2);
        object.map(|object| keys.map(|key| object.get(key).and_then(Value::as_str)))
    };
    let named = match kind.as_str() {
        "write" | "refer" => all(["from", "to"]).map(Vec::from),
        "mint" => all(["credential", "to"]).map(|[credential, to]| match credential {
            Some(_) => vec![to],
            None => vec![None],
        }),
        "remove" | "refresh" => Some(vec![of.as_str()]),
        "restart" => of.as_str().map(|_| Vec::new()),
        "set-fact" => {
            all(["key", "value"]).filter(|all| all.iter().all(Option::is_some)).map(|_| Vec::new())
        }
        "alert" => all(["severity", "message"])
            .filter(|all| all.iter().all(Option::is_some))
            .map(|_| Vec::new()),
        _ => None,
    };
    let named: Option<Vec<&str>> = named.and_then(|named| named.into_iter().collect());
    named.ok_or_else(none)
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

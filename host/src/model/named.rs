//! An answer by names instead of ids, and where two answers to one snapshot differ.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    Action, Consumer, ConsumerId, Decision, Deed, Finding, LocationId, Refusal, Snapshot, Standing,
    Verdict,
};

/// A decision, or the policy's no.
type Answer = Result<Decision, Refusal>;

/// Whether sentences count beside what they are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// Reasons, messages and remedies count.
    Count,
    /// Only who uses what, what is done, and the codes of what is found.
    Aside,
}

/// Where two answers to one snapshot differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What was looked at, such as `cli gateway-token wanted`.
    pub what: String,
    /// In the one answer.
    pub one: Value,
    /// In the other.
    pub other: Value,
}

/// Where two answers to one snapshot differ, in the order of the deployment; the order of actions and
/// findings says nothing, unless words count.
#[must_use]
pub fn differences(
    snapshot: &Snapshot,
    one: &Answer,
    other: &Answer,
    words: Words,
) -> Vec<Difference> {
    let (one, other) = (parts(snapshot, one, words), parts(snapshot, other, words));
    let mut found = Vec::new();
    let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
    for what in keys {
        let side = |parts: &Map<String, Value>| parts.get(what).cloned().unwrap_or_default();
        let (one, other) = (side(&one), side(&other));
        if one != other {
            found.push(Difference { what: what.clone(), one, other });
        }
    }
    found
}

/// Everything in an answer, each part under the words that name it.
#[must_use]
pub fn parts(snapshot: &Snapshot, answer: &Answer, words: Words) -> Map<String, Value> {
    let mut parts = Map::new();
    let decision = match answer {
        Ok(decision) => decision,
        Err(refused) => {
            parts.insert("refusal".to_owned(), refusal(snapshot, refused, words));
            return parts;
        }
    };
    for verdict in &decision.verdicts {
        let of = consumer(snapshot, verdict.consumer);
        let mut add = |part: &str, value: Value| parts.insert(format!("{of} {part}"), value);
        add("today", standing(snapshot, verdict.today));
        add("wanted", json!(verdict.wanted.map(|id| snapshot.name_of(id))));
        add("next", json!(verdict.next.map(|id| snapshot.name_of(id))));
        if words == Words::Count {
            add("reason", json!(verdict.reason));
        }
    }
    let all = |mut list: Vec<Value>| {
        if words == Words::Aside {
            list.sort_by_cached_key(ToString::to_string);
        }
        Value::Array(list)
    };
    let actions = decision.actions.iter().map(|one| action(snapshot, one, words)).collect();
    parts.insert("actions".to_owned(), all(actions));
    let findings = decision.findings.iter().map(|one| finding(snapshot, one, words)).collect();
    parts.insert("findings".to_owned(), all(findings));
    parts
}

/// A consumer with the credential that it reads.
#[must_use]
pub fn consumer(snapshot: &Snapshot, id: ConsumerId) -> String {
    match snapshot.consumers.get(id.index()) {
        Some(Consumer { name, credential, .. }) => {
            format!("{name} {}", snapshot.credential(*credential))
        }
        None => format!("consumer {}", id.0),
    }
}

/// The verdict on a program and a credential; none where there is no such, or none on it.
#[must_use]
pub fn verdict<'d>(
    snapshot: &Snapshot,
    decision: &'d Decision,
    name: &str,
    credential: &str,
) -> Option<&'d Verdict> {
    let is_it = |consumer: &Consumer| {
        consumer.name == name && snapshot.credential(consumer.credential) == credential
    };
    let id = ConsumerId::from_index(snapshot.consumers.iter().position(is_it)?);
    decision.verdicts.iter().find(|verdict| verdict.consumer == id)
}

/// What a consumer gets: the name of a location, or what else a case may say.
#[must_use]
pub fn standing(snapshot: &Snapshot, standing: Standing) -> Value {
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

/// A deed as a case says it.
#[must_use]
pub fn deed(snapshot: &Snapshot, deed: &Deed) -> Value {
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

/// A deed as a person says it, as in `write env.token -> config.token`.
#[must_use]
pub fn deed_in_words(snapshot: &Snapshot, of: &Deed) -> String {
    let deed = deed(snapshot, of);
    let Some((verb, rest)) = deed.as_object().and_then(|deed| deed.iter().next()) else {
        return deed.to_string();
    };
    let part = |key: &str| rest.get(key).and_then(Value::as_str).unwrap_or_default();
    match verb.as_str() {
        "write" | "refer" => format!("{verb} {} -> {}", part("from"), part("to")),
        "mint" => format!("mint {} -> {}", part("credential"), part("to")),
        "set-fact" => format!("set {} = {}", part("key"), part("value")),
        _ => format!("{verb} {}", rest.as_str().unwrap_or_else(|| part("message"))),
    }
}

fn action(snapshot: &Snapshot, action: &Action, words: Words) -> Value {
    let mut value = deed(snapshot, &action.deed);
    add_words(&mut value, words, [("reason", json!(action.reason))]);
    value
}

fn finding(snapshot: &Snapshot, finding: &Finding, words: Words) -> Value {
    let mut value = json!({
        "code": finding.code,
        "severity": finding.severity,
        "locations": names(snapshot, &finding.locations),
    });
    let said = [("message", json!(finding.message)), ("remedy", json!(finding.remedy))];
    add_words(&mut value, words, said);
    value
}

fn refusal(snapshot: &Snapshot, refusal: &Refusal, words: Words) -> Value {
    let mut value = json!({"code": refusal.code, "locations": names(snapshot, &refusal.locations)});
    let said = [("reason", json!(refusal.reason)), ("remedy", json!(refusal.remedy))];
    add_words(&mut value, words, said);
    value
}

fn add_words<const N: usize>(value: &mut Value, words: Words, said: [(&str, Value); N]) {
    if let (Words::Count, Some(object)) = (words, value.as_object_mut()) {
        object.extend(said.map(|(key, value)| (key.to_owned(), value)));
    }
}

fn names(snapshot: &Snapshot, ids: &[LocationId]) -> Vec<String> {
    ids.iter().map(|id| snapshot.name_of(*id)).collect()
}

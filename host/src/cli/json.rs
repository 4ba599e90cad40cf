//! What scripts are shown: one document, with the name of its schema.

use std::io::{self, Write};

use precedent::{
    Proposal, Ruling,
    apply::{Outcome, Run, RunState},
    decide::Policy,
    model::{
        ConsumerId, Decision, Finding, Location, LocationId, Presence, Refusal, Snapshot, Standing,
    },
    plan::drifts,
};
use serde_json::{Map, Value, json};

use super::{compare::changed_standings, session::Session};

/// Schema of a plan.
pub(crate) const PLAN: &str = "precedent.plan/1";

/// Schema of a line of a watch.
#[cfg(feature = "watch")]
const WATCH: &str = "precedent.watch/1";

/// Prints a document.
pub(crate) fn print(out: &mut impl Write, document: &Value) -> io::Result<()> {
    writeln!(out, "{document:#}")
}

/// `precedent.explain/1`
pub(crate) fn explain(session: &Session, proposal: &Proposal) -> Value {
    let mut document = head("precedent.explain/1", session, proposal);
    document.insert("consumers".into(), consumers(proposal));
    add_impact(&mut document, session, proposal);
    document.insert("locations".into(), locations(&proposal.snapshot));
    finish(document, proposal)
}

/// Adds what would change with another version.
pub(crate) fn add_as_of(document: &mut Value, version: &str, now: &Proposal, then: &Proposal) {
    let changed: Vec<Value> = changed_standings(now, then)
        .map(|(consumer, from, to)| {
            json!({
                "consumer": consumer.name,
                "credential": now.snapshot.credential(consumer.credential),
                "today": standing(&now.snapshot, from),
                "then": standing(&then.snapshot, to),
            })
        })
        .collect();
    let findings = then.decision().map(|decision| &decision.findings);
    let findings: Vec<Value> =
        findings.into_iter().flatten().map(|one| finding(&then.snapshot, one)).collect();
    add(document, "as-of", json!({"version": version, "changes": changed, "findings": findings}));
}

/// Adds, for each consumer, the copies that would win in turn.
pub(crate) fn add_shadows(
    document: &mut Value,
    snapshot: &Snapshot,
    shadows: &[(ConsumerId, Vec<LocationId>)],
) {
    let secret = |id: LocationId| snapshot.location(id)?.presence.fingerprint();
    let all = shadows.iter().filter_map(|(id, copies)| {
        let consumer = snapshot.consumers.get(id.index())?;
        let (first, rest) = copies.split_first()?;
        let copy = |id: &LocationId| {
            json!({"location": snapshot.name_of(*id), "stale": secret(*id) != secret(*first)})
        };
        Some(json!({
            "consumer": consumer.name,
            "credential": snapshot.credential(consumer.credential),
            "today": snapshot.name_of(*first),
            "then": rest.iter().map(copy).collect::<Vec<_>>(),
        }))
    });
    add(document, "shadows", json!(all.collect::<Vec<_>>()));
}

fn add(document: &mut Value, key: &str, value: Value) {
    if let Some(document) = document.as_object_mut() {
        document.insert(key.to_owned(), value);
    }
}

/// `precedent.rotate/1`
pub(crate) fn rotate(
    session: &Session,
    proposal: &Proposal,
    outcome: &Outcome,
    after: Option<&Proposal>,
) -> Value {
    applied("precedent.rotate/1", session, proposal, outcome, after)
}

/// `precedent.import/1`: the same of a secret that a peer handed over.
#[cfg(feature = "handover")]
pub(crate) fn import(
    session: &Session,
    accepted: &precedent::handover::Accepted,
    proposal: &Proposal,
    outcome: &Outcome,
    after: Option<&Proposal>,
) -> Value {
    let mut document = applied("precedent.import/1", session, proposal, outcome, after);
    let from = json!({
        "peer": accepted.peer,
        "deployment": accepted.deployment,
        "created": accepted.created,
    });
    add(&mut document, "from", from);
    add(&mut document, "credential", json!(accepted.credential));
    document
}

/// `precedent.check/1`
pub(crate) fn check(session: &Session, proposal: &Proposal) -> Value {
    let mut document = head("precedent.check/1", session, proposal);
    document.insert("drift".into(), json!(proposal.drifts()));
    document
        .insert("changes".into(), json!(proposal.plan().map_or(0, |plan| plan.changes().len())));
    document.insert("consumers".into(), consumers(proposal));
    add_impact(&mut document, session, proposal);
    finish(document, proposal)
}

/// `precedent.plan/1`. The changes hold no fingerprint: they are the same for the same decision,
/// whatever the secrets are. Fingerprints stand beside them, by location.
pub(crate) fn plan(session: &Session, proposal: &Proposal) -> Value {
    let mut document = head(PLAN, session, proposal);
    add_plan(&mut document, proposal);
    finish(document, proposal)
}

/// `precedent.apply/1`
pub(crate) fn apply(
    session: &Session,
    proposal: &Proposal,
    outcome: &Outcome,
    after: Option<&Proposal>,
) -> Value {
    applied("precedent.apply/1", session, proposal, outcome, after)
}

fn applied(
    schema: &str,
    session: &Session,
    proposal: &Proposal,
    outcome: &Outcome,
    after: Option<&Proposal>,
) -> Value {
    let mut document = head(schema, session, proposal);
    add_plan(&mut document, proposal);
    document.insert("outcome".into(), json!(outcome.changes));
    if let Some(run) = outcome.run {
        document.insert("run".into(), json!(run));
    }
    let now = after.unwrap_or(proposal);
    document.insert("drift".into(), json!(now.drifts()));
    document.insert("consumers".into(), consumers(now));
    finish(document, proposal)
}

/// `precedent.runs/1`, oldest first.
pub(crate) fn runs(deployment: &str, runs: &[(Run, RunState)]) -> Value {
    let row = |(run, state): &(Run, RunState)| {
        json!({
            "run": run.run,
            "at": run.at,
            "verb": run.verb,
            "of": run.of,
            "state": state,
            "files": run.targets.iter().map(|target| &target.path).collect::<Vec<_>>(),
        })
    };
    let rows: Vec<Value> = runs.iter().map(row).collect();
    json!({"schema": "precedent.runs/1", "deployment": deployment, "runs": rows})
}

/// `precedent.rollback/1`; nothing became of it yet in a dry run.
pub(crate) fn rollback(deployment: &str, run: &Run, outcome: Option<&Outcome>) -> Value {
    json!({
        "schema": "precedent.rollback/1",
        "deployment": deployment,
        "of": run.run,
        "run": outcome.and_then(|outcome| outcome.run),
        "files": run.targets.iter().map(|target| &target.path).collect::<Vec<_>>(),
        "outcome": outcome.map(|outcome| &outcome.changes),
    })
}

/// `precedent.exec/1`: why a program was not started. Where it was, standard output is its own.
#[cfg(feature = "exec")]
pub(crate) fn exec(session: &Session, proposal: &Proposal, held: &super::launch::Held) -> Value {
    let mut document = head("precedent.exec/1", session, proposal);
    document.insert("held".into(), json!({"message": held.message, "remedy": held.remedy}));
    add_plan(&mut document, proposal);
    document.insert("consumers".into(), consumers(proposal));
    finish(document, proposal)
}

/// `precedent.watch/1`: what was seen or written, without what is another whenever a file is.
#[cfg(feature = "watch")]
pub(crate) fn watch(session: &Session, proposal: &Proposal, event: &str) -> Value {
    let mut document = head(WATCH, session, proposal);
    document.insert("event".into(), json!(event));
    document.insert("drift".into(), json!(proposal.drifts()));
    add_plan(&mut document, proposal);
    document.remove("targets");
    document.insert("consumers".into(), consumers(proposal));
    finish(document, proposal)
}

/// `precedent.watch/1`: what became of something else.
#[cfg(feature = "watch")]
pub(crate) fn watch_event(session: &Session, event: &str, parts: Value) -> Value {
    let deployment = &session.host.deployment().name;
    let mut document = json!({"schema": WATCH, "deployment": deployment, "event": event});
    if let (Some(document), Value::Object(parts)) = (document.as_object_mut(), parts) {
        document.extend(parts);
    }
    document
}

fn head(schema: &str, session: &Session, proposal: &Proposal) -> Map<String, Value> {
    let mut document = Map::new();
    document.insert("schema".into(), json!(schema));
    document.insert("deployment".into(), json!(proposal.snapshot.deployment));
    document.insert("phase".into(), json!(proposal.snapshot.phase));
    document.insert("policy".into(), policy(session.host.policy()));
    document
}

/// Which policy it is.
pub(crate) fn policy(policy: &Policy) -> Value {
    json!({
        "name": policy.about().name,
        "version": policy.about().version,
        "digest": policy.digest(),
    })
}

/// Which calls fail and which go on, where the deployment says what its calls need.
fn add_impact(document: &mut Map<String, Value>, session: &Session, proposal: &Proposal) {
    if let Some(impact) = session.host.impact(proposal) {
        document.insert("health".into(), json!(impact.health));
        document.insert("calls".into(), json!(impact.calls));
    }
}

fn add_plan(document: &mut Map<String, Value>, proposal: &Proposal) {
    let (changes, steps, targets) = match proposal.plan() {
        Some(plan) => (json!(plan.changes()), json!(plan.steps()), json!(plan.targets())),
        None => (json!([]), json!([]), json!([])),
    };
    document.insert("changes".into(), changes);
    document.insert("steps".into(), steps);
    document.insert("targets".into(), targets);
    let fingerprints: Map<String, Value> = proposal
        .snapshot
        .locations
        .iter()
        .filter_map(|l| Some((l.name.clone(), json!(short(l)?))))
        .collect();
    document.insert("fingerprints".into(), Value::Object(fingerprints));
}

fn finish(mut document: Map<String, Value>, proposal: &Proposal) -> Value {
    let snapshot = &proposal.snapshot;
    let decided = proposal.decision().map(|decision| &decision.findings);
    let findings: Vec<Value> = snapshot
        .findings
        .iter()
        .chain(decided.into_iter().flatten())
        .map(|finding| self::finding(snapshot, finding))
        .collect();
    document.insert("findings".into(), json!(findings));
    match &proposal.ruling {
        Ruling::Refused(refusal) => {
            document.insert("refusal".into(), self::refusal(snapshot, refusal));
        }
        Ruling::Violated(_, violations) => {
            document.insert("violations".into(), json!(violations.0));
        }
        _ => {}
    }
    Value::Object(document)
}

/// The policy's no.
pub(crate) fn refusal(snapshot: &Snapshot, refusal: &Refusal) -> Value {
    json!({
        "code": refusal.code,
        "reason": refusal.reason,
        "remedy": refusal.remedy,
        "locations": names(snapshot, &refusal.locations),
    })
}

fn consumers(proposal: &Proposal) -> Value {
    consumers_in(&proposal.snapshot, proposal.decision())
}

/// Each consumer: what it uses today, and what it should.
pub(crate) fn consumers_in(snapshot: &Snapshot, decision: Option<&Decision>) -> Value {
    let verdicts = decision.map(|decision| decision.verdicts.iter());
    let consumers = verdicts.into_iter().flatten().filter_map(|verdict| {
        let consumer = snapshot.consumers.get(verdict.consumer.index())?;
        let (standing, today) = parts(verdict.today);
        Some(json!({
            "consumer": consumer.name,
            "credential": snapshot.credential(consumer.credential),
            "standing": standing,
            "today": today.map(|id| snapshot.name_of(id)),
            "wanted": verdict.wanted.map(|id| snapshot.name_of(id)),
            "next": verdict.next.map(|id| snapshot.name_of(id)),
            "drift": drifts(snapshot, verdict),
            "reason": verdict.reason,
        }))
    });
    Value::Array(consumers.collect())
}

/// What a consumer gets in a word, and where.
fn parts(standing: Standing) -> (&'static str, Option<LocationId>) {
    match standing {
        Standing::Copy(id) => ("copy", Some(id)),
        Standing::Unresolved(id) => ("unresolved", Some(id)),
        Standing::Generated => ("generated", None),
        Standing::Invalid => ("invalid", None),
        _ => ("nothing", None),
    }
}

fn standing(snapshot: &Snapshot, standing: Standing) -> Value {
    let (word, id) = parts(standing);
    json!({"standing": word, "location": id.map(|id| snapshot.name_of(id))})
}

/// Each location, and what is there.
pub(crate) fn locations(snapshot: &Snapshot) -> Value {
    let locations = snapshot.locations.iter().map(|location| {
        json!({
            "location": location.name,
            "credential": snapshot.credential(location.credential),
            "label": location.label,
            "presence": match &location.presence {
                Presence::Absent => "absent",
                Presence::Empty => "empty",
                Presence::Placeholder => "placeholder",
                Presence::Plain(_) => "plain",
                Presence::Reference(_) => "reference",
                _ => "unreadable",
            },
            "fingerprint": short(location),
            "path": snapshot.path_of(location),
            "writable": location.writable,
        })
    });
    Value::Array(locations.collect())
}

/// A finding, its locations by name.
pub(crate) fn finding(snapshot: &Snapshot, finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "remedy": finding.remedy,
        "locations": names(snapshot, &finding.locations),
    })
}

fn names(snapshot: &Snapshot, ids: &[LocationId]) -> Vec<String> {
    ids.iter().map(|id| snapshot.name_of(*id)).collect()
}

fn short(location: &Location) -> Option<String> {
    location.presence.fingerprint().map(|fingerprint| fingerprint.to_string())
}

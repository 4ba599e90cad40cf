//! Between a version's records and the model's. Compiled once for each version that has these
//! records: `super` is the version, and says how it has a string.

use std::collections::BTreeMap;

use super::{
    super::{Classes, Spoken},
    Text, said, wit,
};
use crate::model::{
    self, ConsumerId, CredentialId, Decision, Fault, LocationId, LocationKind, Phase, Presence,
    ReferenceKind, Refusal, Severity, Snapshot, Standing,
};

pub(super) fn phase(phase: Phase) -> wit::Phase {
    match phase {
        Phase::Start => wit::Phase::Start,
        Phase::Restart => wit::Phase::Restart,
        Phase::Check => wit::Phase::Check,
        Phase::Repair => wit::Phase::Repair,
        Phase::Rotate => wit::Phase::Rotate,
    }
}

pub(super) fn consumers(snapshot: &Snapshot, text: &mut Text) -> Vec<wit::Consumer> {
    let consumers = snapshot.consumers.iter().map(|consumer| wit::Consumer {
        name: text.put(&consumer.name),
        credential: consumer.credential.0,
        node: consumer.node.as_ref().map(|node| text.put(node)),
    });
    consumers.collect()
}

/// What is known; a fact whose place holds nothing is not.
pub(super) fn facts(snapshot: &Snapshot, text: &mut Text) -> Vec<wit::Fact> {
    let facts = snapshot.facts.iter().filter_map(|(key, fact)| {
        let value = fact.value.as_deref()?;
        Some(wit::Fact { key: text.put(key), value: text.put(value) })
    });
    facts.collect()
}

/// All attributes, each with the position of its owner.
pub(super) fn attributes<'a>(
    owners: impl Iterator<Item = &'a BTreeMap<String, String>>,
    text: &mut Text,
) -> Vec<wit::Attribute> {
    let mut all = Vec::new();
    for (owner, attributes) in (0..).zip(owners) {
        all.extend(attributes.iter().map(|(key, value)| wit::Attribute {
            owner,
            key: text.put(key),
            value: text.put(value),
        }));
    }
    all
}

pub(super) fn locations(
    snapshot: &Snapshot,
    text: &mut Text,
    classes: &mut Classes,
) -> Vec<wit::Location> {
    snapshot.locations.iter().map(|one| location(one, text, classes)).collect()
}

fn location(location: &model::Location, text: &mut Text, classes: &mut Classes) -> wit::Location {
    wit::Location {
        name: text.put(&location.name),
        credential: location.credential.0,
        kind: match location.kind {
            LocationKind::Environment => wit::LocationKind::Environment,
            LocationKind::Document => wit::LocationKind::Document,
            LocationKind::File => wit::LocationKind::File,
            LocationKind::Dotenv => wit::LocationKind::Dotenv,
            LocationKind::Unit => wit::LocationKind::Unit,
            LocationKind::Plist => wit::LocationKind::Plist,
            LocationKind::Command => wit::LocationKind::Command,
        },
        label: text.put(&location.label),
        node: location.node.as_ref().map(|node| text.put(node)),
        presence: match &location.presence {
            Presence::Absent => wit::Presence::Absent,
            Presence::Empty => wit::Presence::Empty,
            Presence::Placeholder => wit::Presence::Placeholder,
            Presence::Plain(fingerprint) => wit::Presence::Plain(classes.of(*fingerprint)),
            Presence::Reference(reference) => wit::Presence::Reference(wit::Reference {
                kind: match reference.kind {
                    ReferenceKind::Environment => wit::ReferenceKind::Environment,
                    ReferenceKind::File => wit::ReferenceKind::File,
                    ReferenceKind::Command => wit::ReferenceKind::Command,
                    ReferenceKind::Store => wit::ReferenceKind::Store,
                    ReferenceKind::Unknown => wit::ReferenceKind::Unknown,
                },
                target: text.put(&reference.target),
                resolved: reference.resolved.map(|fingerprint| classes.of(fingerprint)),
            }),
            Presence::Unreadable(fault) => wit::Presence::Unreadable(match fault {
                Fault::NotPermitted => wit::Fault::NotPermitted,
                Fault::NotAFile => wit::Fault::NotAFile,
                Fault::Syntax => wit::Fault::Syntax,
                Fault::DuplicateKey => wit::Fault::DuplicateKey,
                Fault::WrongType => wit::Fault::WrongType,
                Fault::TooLarge => wit::Fault::TooLarge,
                Fault::TimedOut => wit::Fault::TimedOut,
                Fault::Failed => wit::Fault::Failed,
            }),
        },
        expires: location.expires,
        refresh_expires: location.refresh_expires,
        modified: location.modified,
        writable: location.writable,
        durable: location.durable,
    }
}

/// The policy's decision in the model's words. Ids are checked later, with everything else.
pub(in crate::decide) fn decision(mut decision: wit::Decision) -> wasmtime::Result<Decision> {
    let text = &decision.take_text();
    let verdict = |verdict: wit::Verdict| {
        Ok(model::Verdict {
            consumer: ConsumerId(verdict.consumer),
            today: match verdict.today {
                wit::Standing::Copy(id) => Standing::Copy(LocationId(id)),
                wit::Standing::Nothing => Standing::Nothing,
                wit::Standing::Unresolved(id) => Standing::Unresolved(LocationId(id)),
                wit::Standing::Generated => Standing::Generated,
                wit::Standing::Invalid => Standing::Invalid,
            },
            wanted: verdict.wanted.map(LocationId),
            reason: said(text, verdict.reason)?,
            next: verdict.next.map(LocationId),
        })
    };
    let action = |action: wit::Action| {
        let reason = said(text, action.reason)?;
        Ok(model::Action { deed: deed(text, action.deed)?, reason })
    };
    let finding = |finding: wit::Finding| {
        Ok(model::Finding {
            code: said(text, finding.code)?,
            severity: severity(finding.severity),
            message: said(text, finding.message)?,
            remedy: finding.remedy.map(|remedy| said(text, remedy)).transpose()?,
            locations: finding.locations.into_iter().map(LocationId).collect(),
        })
    };
    Ok(Decision {
        verdicts: decision.verdicts.into_iter().map(verdict).collect::<wasmtime::Result<_>>()?,
        actions: decision.actions.into_iter().map(action).collect::<wasmtime::Result<_>>()?,
        findings: decision.findings.into_iter().map(finding).collect::<wasmtime::Result<_>>()?,
    })
}

fn deed(text: &str, deed: wit::Deed) -> wasmtime::Result<model::Deed> {
    Ok(match deed {
        wit::Deed::Write(copy) => {
            model::Deed::Write { from: LocationId(copy.from), to: LocationId(copy.to) }
        }
        wit::Deed::Refer(copy) => {
            model::Deed::Refer { from: LocationId(copy.from), to: LocationId(copy.to) }
        }
        wit::Deed::Remove(id) => model::Deed::Remove(LocationId(id)),
        wit::Deed::Mint(mint) => {
            model::Deed::Mint { credential: CredentialId(mint.credential), to: LocationId(mint.to) }
        }
        wit::Deed::Refresh(id) => model::Deed::Refresh(LocationId(id)),
        wit::Deed::SetFact(fact) => {
            model::Deed::SetFact { key: said(text, fact.key)?, value: said(text, fact.value)? }
        }
        wit::Deed::Restart(id) => model::Deed::Restart(ConsumerId(id)),
        wit::Deed::Alert(alert) => model::Deed::Alert {
            severity: severity(alert.severity),
            message: said(text, alert.message)?,
        },
    })
}

fn severity(severity: wit::Severity) -> Severity {
    match severity {
        wit::Severity::Info => Severity::Info,
        wit::Severity::Warning => Severity::Warning,
        wit::Severity::Error => Severity::Error,
    }
}

/// The policy's no in the model's words.
pub(in crate::decide) fn refusal(mut refusal: wit::Refusal) -> wasmtime::Result<Refusal> {
    let text = &refusal.take_text();
    Ok(Refusal {
        code: said(text, refusal.code)?,
        reason: said(text, refusal.reason)?,
        remedy: refusal.remedy.map(|remedy| said(text, remedy)).transpose()?,
        locations: refusal.locations.into_iter().map(LocationId).collect(),
    })
}

//! Between the contract's records and the model's.
//!
//! The policy gets equality classes instead of fingerprints, numbered in order of first appearance:
//! it can tell that two copies are equal, and nothing else, so no decision can depend on a secret.

use std::collections::{BTreeMap, HashMap};

use super::contract::wit;
use crate::{
    model::{
        self, ConsumerId, CredentialId, Decision, Fault, LocationId, LocationKind, Phase, Presence,
        ReferenceKind, Refusal, Snapshot, Standing,
    },
    secret::Fingerprint,
};

/// Numbers for fingerprints, in order of first appearance.
#[derive(Default)]
struct Classes(HashMap<Fingerprint, u32>);

impl Classes {
    fn of(&mut self, fingerprint: Fingerprint) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(fingerprint).or_insert(next)
    }
}

/// What the policy is shown.
pub(super) fn to_contract(snapshot: &Snapshot) -> wit::Snapshot {
    let mut classes = Classes::default();
    wit::Snapshot {
        deployment: snapshot.deployment.clone(),
        phase: match snapshot.phase {
            Phase::Start => wit::Phase::Start,
            Phase::Restart => wit::Phase::Restart,
            Phase::Check => wit::Phase::Check,
            Phase::Repair => wit::Phase::Repair,
            Phase::Rotate => wit::Phase::Rotate,
        },
        now: snapshot.now,
        settings: snapshot.settings.to_string(),
        credentials: snapshot.credentials.clone(),
        locations: snapshot.locations.iter().map(|l| location(l, &mut classes)).collect(),
        consumers: snapshot
            .consumers
            .iter()
            .map(|consumer| wit::Consumer {
                name: consumer.name.clone(),
                credential: consumer.credential.0,
                node: None,
            })
            .collect(),
        location_attributes: attributes(snapshot.locations.iter().map(|l| &l.attributes)),
        consumer_attributes: attributes(snapshot.consumers.iter().map(|c| &c.attributes)),
        facts: snapshot
            .facts
            .iter()
            .filter_map(|(key, fact)| {
                Some(wit::Fact { key: key.clone(), value: fact.value.clone()? })
            })
            .collect(),
    }
}

fn attributes<'a>(
    owners: impl Iterator<Item = &'a BTreeMap<String, String>>,
) -> Vec<wit::Attribute> {
    (0..)
        .zip(owners)
        .flat_map(|(owner, attributes)| {
            attributes.iter().map(move |(key, value)| wit::Attribute {
                owner,
                key: key.clone(),
                value: value.clone(),
            })
        })
        .collect()
}

fn location(location: &model::Location, classes: &mut Classes) -> wit::Location {
    wit::Location {
        name: location.name.clone(),
        credential: location.credential.0,
        kind: match location.kind {
            LocationKind::Environment => wit::LocationKind::Environment,
            LocationKind::Document => wit::LocationKind::Document,
            LocationKind::File => wit::LocationKind::File,
            LocationKind::Dotenv => wit::LocationKind::Dotenv,
            LocationKind::Unit => wit::LocationKind::Unit,
            LocationKind::Plist => wit::LocationKind::Plist,
        },
        label: location.label.clone(),
        node: None,
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
                target: reference.target.clone(),
                resolved: reference.resolved.map(|fingerprint| classes.of(fingerprint)),
            }),
            Presence::Unreadable(fault) => wit::Presence::Unreadable(match fault {
                Fault::NotPermitted => wit::Fault::NotPermitted,
                Fault::NotAFile => wit::Fault::NotAFile,
                Fault::Syntax => wit::Fault::Syntax,
                Fault::DuplicateKey => wit::Fault::DuplicateKey,
                Fault::WrongType => wit::Fault::WrongType,
                Fault::TooLarge => wit::Fault::TooLarge,
                Fault::Failed => wit::Fault::Failed,
            }),
        },
        expires: location.expires,
        refresh_expires: None,
        modified: location.modified,
        writable: location.writable,
        durable: location.durable,
    }
}

/// The policy's decision in the model's words. Ids are checked later, with everything else.
pub(super) fn decision(decision: wit::Decision) -> Decision {
    Decision {
        verdicts: decision
            .verdicts
            .into_iter()
            .map(|verdict| model::Verdict {
                consumer: ConsumerId(verdict.consumer),
                today: match verdict.today {
                    wit::Standing::Copy(id) => Standing::Copy(LocationId(id)),
                    wit::Standing::Nothing => Standing::Nothing,
                    wit::Standing::Unresolved(id) => Standing::Unresolved(LocationId(id)),
                    wit::Standing::Generated => Standing::Generated,
                    wit::Standing::Invalid => Standing::Invalid,
                },
                wanted: verdict.wanted.map(LocationId),
                reason: verdict.reason,
                next: verdict.next.map(LocationId),
            })
            .collect(),
        actions: decision
            .actions
            .into_iter()
            .map(|action| model::Action { deed: deed(action.deed), reason: action.reason })
            .collect(),
        findings: decision
            .findings
            .into_iter()
            .map(|finding| model::Finding {
                code: finding.code,
                severity: finding.severity.into(),
                message: finding.message,
                remedy: finding.remedy,
                locations: finding.locations.into_iter().map(LocationId).collect(),
            })
            .collect(),
    }
}

fn deed(deed: wit::Deed) -> model::Deed {
    match deed {
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
        wit::Deed::SetFact(fact) => model::Deed::SetFact { key: fact.key, value: fact.value },
        wit::Deed::Restart(id) => model::Deed::Restart(ConsumerId(id)),
        wit::Deed::Alert(alert) => {
            model::Deed::Alert { severity: alert.severity.into(), message: alert.message }
        }
    }
}

/// The policy's no in the model's words.
pub(super) fn refusal(refusal: wit::Refusal) -> Refusal {
    Refusal {
        code: refusal.code,
        reason: refusal.reason,
        remedy: refusal.remedy,
        locations: refusal.locations.into_iter().map(LocationId).collect(),
    }
}

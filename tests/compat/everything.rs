//! Snapshots with every value that the host can show, also those that no case comes to: when a secret
//! expires, what fails in reading, places that are on another machine's disk only.

use std::collections::BTreeMap;

use precedent::{
    model::{
        Consumer, CredentialId, Fact, Fault, Location, LocationKind, Phase, Place, Presence,
        Reference, ReferenceKind, Snapshot,
    },
    secret::{Fingerprint, Key},
};

fn secret(text: &str) -> Fingerprint {
    Key::new([7; 32]).fingerprint(text)
}

fn location(index: u32, kind: LocationKind, presence: Presence) -> Location {
    // Times, and what can be done with the place, differ from one to the next.
    let time =
        |every: u32, time: u64| index.is_multiple_of(every).then_some(time + u64::from(index));
    Location {
        name: format!("place.{index}"),
        credential: CredentialId(index % 3),
        kind,
        label: "żółw ".repeat(index as usize % 4),
        node: None,
        presence,
        expires: time(2, 1_700_000_000),
        refresh_expires: None,
        expiry: None,
        shown: None,
        modified: time(3, u64::MAX - 100),
        writable: index.is_multiple_of(2),
        durable: index % 4 < 2,
        place: Place::Argument,
        attributes: BTreeMap::new(),
    }
}

fn everything() -> Snapshot {
    let reference = |kind, target: &str, resolved: Option<&str>| {
        Presence::Reference(Reference {
            kind,
            target: target.to_owned(),
            resolved: resolved.map(secret),
        })
    };
    let presences = [
        (LocationKind::Environment, Presence::Plain(secret("canary-a"))),
        (LocationKind::Document, Presence::Plain(secret("canary-b"))),
        (LocationKind::File, Presence::Plain(secret("canary-a"))),
        (LocationKind::Dotenv, Presence::Absent),
        (LocationKind::Unit, Presence::Empty),
        (LocationKind::Plist, Presence::Placeholder),
        (LocationKind::Document, reference(ReferenceKind::Environment, "X", Some("canary-c"))),
        (LocationKind::Document, reference(ReferenceKind::File, "/é", Some("canary-b"))),
        (LocationKind::Document, reference(ReferenceKind::Command, "", None)),
        (LocationKind::Document, reference(ReferenceKind::Store, "vault://x", None)),
        (LocationKind::Document, reference(ReferenceKind::Unknown, "?", None)),
        (LocationKind::File, Presence::Unreadable(Fault::NotPermitted)),
        (LocationKind::File, Presence::Unreadable(Fault::NotAFile)),
        (LocationKind::Plist, Presence::Unreadable(Fault::Syntax)),
        (LocationKind::Document, Presence::Unreadable(Fault::DuplicateKey)),
        (LocationKind::Document, Presence::Unreadable(Fault::WrongType)),
        (LocationKind::File, Presence::Unreadable(Fault::TooLarge)),
        (LocationKind::Unit, Presence::Unreadable(Fault::Failed)),
        (LocationKind::Unit, Presence::Plain(secret("canary-d"))),
    ];
    let consumer = |name: &str, credential| Consumer {
        name: name.to_owned(),
        credential: CredentialId(credential),
        node: None,
        attributes: BTreeMap::from([("program".to_owned(), format!("the {name}"))]),
    };
    Snapshot {
        deployment: "everything — 全部".to_owned(),
        phase: Phase::Rotate,
        now: u64::MAX,
        settings: serde_json::json!({}),
        credentials: ["token", "password", "другой"].map(ToOwned::to_owned).to_vec(),
        locations: (0..)
            .zip(presences)
            .map(|(index, (kind, presence))| location(index, kind, presence))
            .collect(),
        consumers: vec![consumer("gateway", 0), consumer("cli", 1), consumer("ü", 2)],
        facts: BTreeMap::from([
            ("gateway.mode".to_owned(), Fact { value: Some("remote".to_owned()), place: None }),
            ("not-known".to_owned(), Fact { value: None, place: None }),
        ]),
        files: vec![],
        findings: vec![],
    }
}

/// No place, no program, no name: every list and every string is empty.
fn nothing() -> Snapshot {
    let everything = everything();
    Snapshot {
        deployment: String::new(),
        credentials: vec![],
        locations: vec![],
        consumers: vec![],
        facts: BTreeMap::new(),
        phase: Phase::Restart,
        now: 0,
        ..everything
    }
}

/// Long strings, in many places: no offset is small.
fn much() -> Snapshot {
    let mut much = everything();
    let one = much.locations[7].clone();
    much.locations.extend((0..300).map(|index| Location {
        name: format!("much.{index}"),
        label: "ß".repeat(300 + index),
        attributes: BTreeMap::from([("path".to_owned(), format!("/{index}"))]),
        ..one.clone()
    }));
    much.settings = serde_json::json!({"answer": "verdicts; write 0 much.299; ask-location path"});
    much
}

/// By the names of their golden answers.
pub(super) fn snapshots() -> BTreeMap<String, Snapshot> {
    let made = [("everything", everything()), ("much", much()), ("nothing", nothing())];
    made.into_iter().map(|(name, snapshot)| (name.to_owned(), snapshot)).collect()
}

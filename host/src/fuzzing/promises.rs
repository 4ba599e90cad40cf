//! What must hold of a decision that passes the host's rules.
//!
//! Written from the promises, not from `check`: nothing in here asks it how it came to pass a decision.

use std::collections::HashMap;

use arbitrary::Unstructured;

use super::scene::Scene;
use crate::{
    check::check as rules,
    config::Grants,
    decide::json,
    model::{
        CredentialId, Deed, FileStatus, Location, LocationId, Place, Presence, Reference, Snapshot,
        Standing, declared_name,
    },
    plan::{Plan, after, plan},
    secret::Fingerprint,
};

/// Makes any snapshot, grants and decision, and holds what passes against the promises.
pub(super) fn check(bytes: &[u8]) {
    outcome(bytes);
}

/// Whether it passed, and whether that changes something.
pub(super) fn outcome(bytes: &[u8]) -> (bool, bool) {
    let Ok(scene) = Scene::any(&mut Unstructured::new(bytes)) else { return (false, false) };
    let Scene { snapshot, grants, decision } = &scene;
    let passed = rules(snapshot, decision.clone(), grants);
    let (other, planned) = (with_other_secrets(snapshot), passed.as_ref().ok().map(plan));
    let then = rules(&other, decision.clone(), grants);
    match (&passed, &then) {
        (Ok(_), Ok(then)) => {
            let (one, other) = (planned.as_ref().map(in_json), in_json(&plan(then)));
            assert_eq!(one, Some(other), "the plan depends on the secrets");
        }
        (Err(one), Err(other)) => assert_eq!(one, other, "the violations depend on the secrets"),
        _ => panic!("whether it passes depends on the secrets"),
    }
    assert_eq!(json::shown(snapshot), json::shown(&other), "the policy can tell secrets apart");

    let Some(planned) = planned else { return (false, false) };
    verdicts(&scene);
    decision.actions.iter().for_each(|action| deed(snapshot, grants, &action.deed));
    each_place_once(&scene);
    edits(&scene, &planned);
    again(&scene, &planned);
    (true, !planned.is_empty())
}

fn in_json(plan: &Plan) -> String {
    serde_json::to_string(plan).expect("a plan is JSON")
}

/// The same snapshot with other secrets, equal where these are.
fn with_other_secrets(snapshot: &Snapshot) -> Snapshot {
    let mut other = snapshot.clone();
    let turned = |Fingerprint(bytes): Fingerprint| Fingerprint(bytes.map(|byte| !byte));
    for location in &mut other.locations {
        match &mut location.presence {
            Presence::Plain(fingerprint) => *fingerprint = turned(*fingerprint),
            Presence::Reference(Reference { resolved: Some(fingerprint), .. }) => {
                *fingerprint = turned(*fingerprint);
            }
            _ => {}
        }
    }
    other
}

/// Every consumer has one verdict, which names copies of its own credential.
fn verdicts(scene: &Scene) {
    let Scene { snapshot, decision, .. } = scene;
    let mut judged: Vec<usize> = decision.verdicts.iter().map(|v| v.consumer.0 as usize).collect();
    judged.sort_unstable();
    let all: Vec<usize> = (0..snapshot.consumers.len()).collect();
    assert_eq!(judged, all, "not one verdict for each consumer");
    for verdict in &decision.verdicts {
        let of = snapshot.consumers[verdict.consumer.0 as usize].credential;
        let today = match verdict.today {
            Standing::Copy(id) | Standing::Unresolved(id) => Some(id),
            _ => None,
        };
        for id in [today, verdict.wanted, verdict.next].into_iter().flatten() {
            assert_eq!(at(snapshot, id).credential, of, "a verdict on another's credential");
        }
    }
    for id in decision.findings.iter().flat_map(|finding| &finding.locations) {
        at(snapshot, *id);
    }
}

fn at(snapshot: &Snapshot, id: LocationId) -> &Location {
    let found = snapshot.locations.get(id.0 as usize);
    found.unwrap_or_else(|| panic!("{id:?} does not exist, and passed"))
}

fn deed(snapshot: &Snapshot, grants: &Grants, deed: &Deed) {
    match deed {
        Deed::Write { from, to } => {
            let (from, to) = (at(snapshot, *from), at(snapshot, *to));
            assert!(grants.write.contains(declared_name(&to.name)), "no grant to write");
            target(snapshot, grants, to);
            assert!(matches!(from.presence, Presence::Plain(_)), "the source is not in clear");
            assert!(from.expires.is_none_or(|at| at > snapshot.now), "the source has expired");
            assert_eq!(from.credential, to.credential, "one credential is written for another");
        }
        Deed::Refer { from, to } => {
            let (from, to) = (at(snapshot, *from), at(snapshot, *to));
            assert!(grants.refer.contains(declared_name(&to.name)), "no grant to refer");
            target(snapshot, grants, to);
            assert!(matches!(from.place, Place::Variable(_)), "no variable is referred to");
            assert_eq!(from.credential, to.credential, "a reference to another credential");
            let file = to.place.file().expect("a reference goes into a file");
            assert!(snapshot.files[file.0 as usize].reference.is_some(), "no form of reference");
        }
        Deed::Remove(id) => {
            let gone = at(snapshot, *id);
            assert!(grants.remove.contains(declared_name(&gone.name)), "no grant to remove");
            target(snapshot, grants, gone);
        }
        Deed::Mint { credential, to } => {
            let to = at(snapshot, *to);
            assert!(grants.mint.contains(declared_name(&to.name)), "no grant to mint");
            assert!((credential.0 as usize) < snapshot.credentials.len(), "no such credential");
            assert_eq!(to.credential, *credential, "another credential is minted");
            target(snapshot, grants, to);
        }
        Deed::SetFact { key, .. } => {
            assert!(grants.set_facts.contains(key), "no grant to set the fact");
            let place = snapshot.facts[key].place.as_ref().expect("the fact has a place");
            assert!(matches!(place, Place::Pointer { .. }), "the fact is no value in a document");
            let file = &snapshot.files[place.file().expect("a fact is in a file").0 as usize];
            assert!(matches!(file.status, FileStatus::Present(_)), "no document to set it in");
            assert!(file.writable, "the document cannot be written");
            let secret = snapshot.locations.iter().find(|l| overlap(&l.place, place));
            assert!(secret.is_none(), "a fact is set where a credential has its place");
        }
        Deed::Restart(id) => assert!((id.0 as usize) < snapshot.consumers.len(), "no consumer"),
        Deed::Refresh(_) => panic!("nothing can be refreshed, and it passed"),
        Deed::Alert { .. } => {}
    }
}

/// What is written can be read and written, and is no reference that is not to be replaced.
fn target(snapshot: &Snapshot, grants: &Grants, to: &Location) {
    assert!(to.writable, "what cannot be written is written");
    assert!(!matches!(to.presence, Presence::Unreadable(_)), "what cannot be read is written");
    let file = to.place.file().expect("what is written is in a file");
    let status = &snapshot.files[file.0 as usize].status;
    assert!(matches!(status, FileStatus::Present(_)), "a file that is not there is written");
    if matches!(to.presence, Presence::Reference(_)) {
        let granted = grants.replace_references.contains(declared_name(&to.name));
        assert!(granted, "a reference is replaced without a grant");
    }
}

/// What a place becomes.
#[derive(Debug, PartialEq)]
enum Becomes<'s> {
    Secret(Option<Fingerprint>),
    ReferenceTo(&'s Place),
    Fact(&'s str),
    /// No two of them are alike.
    New(usize, CredentialId),
    Nothing,
}

/// No place is changed to two different things, nor one within another.
fn each_place_once(scene: &Scene) {
    let Scene { snapshot, decision, .. } = scene;
    let mut known: Vec<(&Place, Becomes<'_>)> = Vec::new();
    for (index, action) in decision.actions.iter().enumerate() {
        let (place, becomes) = match &action.deed {
            Deed::Write { from, to } => {
                let secret = at(snapshot, *from).presence.fingerprint();
                (&at(snapshot, *to).place, Becomes::Secret(secret))
            }
            Deed::Refer { from, to } => {
                let named = &at(snapshot, *from).place;
                (&at(snapshot, *to).place, Becomes::ReferenceTo(named))
            }
            Deed::Remove(id) => (&at(snapshot, *id).place, Becomes::Nothing),
            Deed::Mint { credential, to } => {
                (&at(snapshot, *to).place, Becomes::New(index, *credential))
            }
            Deed::SetFact { key, value } => {
                let place = snapshot.facts[key].place.as_ref().expect("the fact has a place");
                (place, Becomes::Fact(value))
            }
            _ => continue,
        };
        for (other, what) in &known {
            assert!(*other != place || *what == becomes, "{place:?}: {what:?} and {becomes:?}");
            assert!(*other == place || !overlap(other, place), "{place:?} and {other:?}");
        }
        known.push((place, becomes));
    }
}

/// Whether one place is the other, or within it.
fn overlap(one: &Place, other: &Place) -> bool {
    match (one, other) {
        (Place::Pointer { file, pointer }, Place::Pointer { file: other, pointer: at }) => {
            let (one, two) = (pointer.steps(), at.steps());
            file == other && (one.starts_with(two) || two.starts_with(one))
        }
        (Place::File(one), other) | (other, Place::File(one)) => other.file() == Some(*one),
        (one, other) => one == other,
    }
}

/// Every edit has a target with the digest that was seen, and changes something.
fn edits(scene: &Scene, planned: &Plan) {
    let Scene { snapshot, .. } = scene;
    let hidden = in_json(planned);
    for fingerprint in snapshot.locations.iter().filter_map(|l| l.presence.fingerprint()) {
        let hex = serde_json::to_string(&fingerprint).expect("a fingerprint is JSON");
        assert!(!hidden.contains(hex.trim_matches('"')), "the plan holds a fingerprint");
    }
    let mut targets = HashMap::new();
    for target in planned.targets() {
        let status = &snapshot.files[target.file.0 as usize].status;
        assert_eq!(*status, FileStatus::Present(target.digest.clone()), "another digest");
        assert!(targets.insert(target.file, target).is_none(), "a file is a target twice");
    }
    let mut needed: Vec<_> = targets.into_keys().collect();
    for (index, change) in planned.changes().iter().enumerate() {
        let place = &change.edit.place;
        let file = place.file().expect("a change is in a file");
        assert!(planned.targets().iter().any(|t| t.file == file), "a change without a target");
        needed.retain(|target| *target != file);
        let earlier = &planned.changes()[..index];
        assert!(earlier.iter().all(|c| c.edit.place != *place), "a place is changed twice");
        let one = after(snapshot, &Plan { changes: vec![change.clone()], ..Plan::default() });
        assert_ne!(one, *snapshot, "a change of nothing: {change:?}");
    }
    assert_eq!(needed, [], "a target in which nothing changes");
}

/// After the plan the same decision wants nothing more, where it can come to rest at all.
fn again(scene: &Scene, planned: &Plan) {
    let Scene { snapshot, grants, decision } = scene;
    let changed = |place: &Place| planned.changes().iter().any(|c| c.edit.place == *place);
    let rests = decision.actions.iter().all(|action| match &action.deed {
        Deed::Write { from, .. } => !changed(&at(snapshot, *from).place),
        // What refers is not to be replaced; what is minted is minted anew.
        Deed::Refer { .. } | Deed::Mint { .. } => false,
        _ => true,
    });
    if !rests {
        return;
    }
    let then = after(snapshot, planned);
    match rules(&then, decision.clone(), grants) {
        Ok(checked) => assert_eq!(plan(&checked).changes(), [], "it never comes to rest"),
        Err(violations) => panic!("what it did it may not have done: {violations}"),
    }
}

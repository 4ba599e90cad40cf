//! Manifests, cases, journals and answers: what is read whole, and never written.

use std::path::Path;

use arbitrary::Unstructured;

use super::scene::Scene;
use crate::{
    artifact::PolicyRef,
    cases,
    config::{Deployment, Grants, Manifest, ManifestError},
    decide::json,
    model::Deed,
    plan, record,
};

/// A manifest is read, or its error points into it.
pub(super) fn manifest(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let path = Path::new("precedent.toml");
    let manifest = match Manifest::parse(path, text) {
        Ok(manifest) => manifest,
        Err(error) => return points(&error, text),
    };
    // The path of a preset may name any file of the machine.
    let reads_a_file = text.parse::<toml::Table>().ok().and_then(|table| {
        let preset = table.get("deployment")?.get("preset")?.as_str()?.to_owned();
        Some(preset.contains('/') || preset.ends_with(".toml"))
    });
    if reads_a_file == Some(true) {
        return;
    }
    for policy in [None, Some(PolicyRef::Shipped("helm".to_owned()))] {
        match Deployment::new(path, text, &manifest, policy) {
            Ok(deployment) => is_looked_up(&deployment),
            Err(error) => points(&error, text),
        }
    }
}

fn points(error: &ManifestError, text: &str) {
    assert!(!error.message.is_empty(), "an error that says nothing");
    if error.path == Path::new("precedent.toml")
        && let Some((line, column)) = error.at
    {
        assert!(line > 0 && column > 0, "{error}");
        // The end of the text may be a line that does not exist.
        assert!(line <= text.matches('\n').count() + 1, "{error} points behind the text");
    }
}

/// Every name of a deployment is known, and nothing is granted at places that there are not.
fn is_looked_up(deployment: &Deployment) {
    for location in &deployment.locations {
        assert!(!deployment.credential(location.credential).is_empty(), "{location:?}");
        if let crate::config::PlaceSpec::Pointer(index, _) = &location.place {
            assert!(*index < deployment.documents.len(), "{location:?}");
        }
    }
    for consumer in &deployment.consumers {
        assert!(!deployment.credential(consumer.credential).is_empty(), "{consumer:?}");
    }
    assert!(deployment.environment.iter().all(|index| *index < deployment.documents.len()));
    let Grants { write, refer, remove, mint, replace_references, set_facts } = &deployment.grants;
    let known = |name: &String| {
        deployment.locations.iter().any(|known| known.name == *name)
            || deployment.profiles.iter().any(|known| known.name == *name)
    };
    for names in [write, refer, remove, mint, replace_references] {
        assert!(names.iter().all(known), "granted at no location: {names:?}");
    }
    if let Some(fleet) = &deployment.fleet {
        let is_peer = |name: &String| deployment.peers.iter().any(|peer| peer.name == *name);
        assert!(fleet.leaders.iter().all(is_peer), "followed, and no peer: {fleet:?}");
        assert!(fleet.send.iter().chain(&fleet.accepts).all(known), "no location: {fleet:?}");
    }
    let known = |name: &String| deployment.facts.iter().any(|known| known.name == *name);
    assert!(set_facts.iter().all(known), "granted at no fact: {set_facts:?}");
    let mut names: Vec<&String> = deployment.locations.iter().map(|l| &l.name).collect();
    names.sort_unstable();
    assert!(names.array_windows().all(|[one, next]| one != next), "a name stands for two");
}

/// A journal is read line by line, or what is wrong with a line is told; any run that is recorded reads
/// back.
pub(super) fn journal(bytes: &[u8]) {
    record::fuzz::decode(bytes);
    if let Ok(scene) = Scene::any(&mut Unstructured::new(bytes)) {
        record::fuzz::reads_back(&scene.snapshot, &scene.decision);
    }
}

/// A file of cases, ours or a recording, is read, or its error points into it.
pub(super) fn case(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for name in ["case.json", "case.jsonl"] {
        match cases::read(Path::new(name), text) {
            Ok(read) => {
                assert!(read.cases.iter().all(|case| !case.name.is_empty()), "a case has no name");
            }
            Err(error) => {
                let lines = text.lines().count().max(1);
                let line = error.line.expect("an error of a case has a line");
                assert!((1..=lines + 1).contains(&line), "{error}: of {lines} lines");
            }
        }
    }
}

/// An answer is read as it is, its ids with it; what is none is an error.
pub(super) fn answer(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    if let Ok(Ok(decision)) = json::decision(value.clone()) {
        // A record may be written as a list of its fields too.
        let field = |key: &str, at: usize| value.get(key).or_else(|| value.get(at));
        let told = |key, at| field(key, at).and_then(|list| list.as_array()).map(Vec::len);
        assert_eq!(told("verdicts", 0), Some(decision.verdicts.len()));
        assert_eq!(told("actions", 1), Some(decision.actions.len()));
        assert_eq!(told("findings", 2), Some(decision.findings.len()));
        let changes = decision
            .actions
            .iter()
            .any(|action| !matches!(action.deed, Deed::Restart(_) | Deed::Alert { .. }));
        // Nothing is at hand here, so that nothing may be done.
        let snapshot = super::scene::empty();
        let consumers = !decision.verdicts.is_empty();
        match crate::check::check(&snapshot, decision, &Grants::default()) {
            Ok(checked) => {
                assert!(!changes && !consumers, "a deed passes where there is nothing");
                assert!(plan::plan(&checked).is_empty());
            }
            Err(violations) => assert!(!violations.0.is_empty()),
        }
    }
    if let Ok(Err(refusal)) = json::refusal(value.clone()) {
        let reason =
            value.get("reason").or_else(|| value.get(1)).and_then(|reason| reason.as_str());
        assert_eq!(reason, Some(refusal.reason.as_str()));
    }
}

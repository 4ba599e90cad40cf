//! Limits and hostile components: the same bound, in the same words, whatever version is spoken.

use std::{fs, time::Duration};

use precedent::{
    artifact::{self, PolicyRef},
    decide::{Engine, Limits},
    model::Snapshot,
};
use serde_json::json;

use super::{Guest, causes, guests, load, path_of, snapshot};
use crate::support::hostile;

#[test]
fn every_version_keeps_within_the_limits() {
    let engine = Engine::new().unwrap();
    let short = Limits { deadline: Duration::from_millis(200), ..Limits::default() };
    for (steps, says) in [
        ("loop", "the policy hit its deadline limit: no answer within 200 ms"),
        ("hoard", "the policy hit its memory limit: "),
        ("trap", "the policy crashed: "),
        ("no-such-step", "the policy crashed: "),
        ("verdicts; long 1100000", "the policy hit its output limit: 1048576 bytes allowed"),
        ("many 17000", "the policy hit its list limit: 17000 findings in the answer, "),
        ("many 40000", "the policy hit its "),
    ] {
        for Guest { version, .. } in guests() {
            let limits = if steps == "loop" { short } else { Limits::default() };
            let limits = if steps == "many 17000" {
                Limits { output_bytes: 8 << 20, ..limits }
            } else {
                limits
            };
            let policy = load(&engine, &path_of(version), limits);
            let mut snapshot = snapshot("02-nothing");
            snapshot.settings = json!({ "answer": steps });
            let said = policy.decide(&snapshot).unwrap_err().to_string();
            assert!(said.contains(says), "{version} `{steps}`, not `{says}`: {said}");
            snapshot.settings = json!({"answer": "verdicts"});
            assert!(policy.decide(&snapshot).unwrap().is_ok(), "{version} after `{steps}`");
        }
    }
}

/// Each hostile guest of `tests/fixtures` in each version that is locked, for their answers lie in memory alike: what comes of it, and the right one beside it
/// still decides.
#[test]
fn what_is_hostile_in_one_version_is_stopped_in_all() {
    let snapshot = snapshot("01-stale");
    let engine = Engine::new().unwrap();
    let old = hostile::all();
    let next = hostile::all_in(("1.0.0", "wit/v1"));
    assert!(old.len() > 25 && old.len() == next.len(), "{} and {}", old.len(), next.len());
    let [first, .., last] = guests() else { panic!("fewer than two versions") };
    for (old, next) in old.iter().zip(&next) {
        // But for the version's name.
        let of = |component| outcome(&engine, component, &snapshot).replace("@1.0.0", "@0.1.0");
        assert_eq!(of(&next.component), of(&old.component), "{}", old.name);
        for guest in [first, last] {
            assert!(guest.policy.decide(&snapshot).unwrap().is_ok(), "after {}", old.name);
        }
    }
}

/// What becomes of a component: why it is not loaded, why it does not answer, or what it answers.
fn outcome(engine: &Engine, component: &[u8], snapshot: &Snapshot) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.wasm");
    fs::write(&path, component).unwrap();
    let reference = PolicyRef::from_argument("hostile.wasm");
    let limits = Limits { deadline: Duration::from_millis(100), ..Limits::default() };
    let loaded = artifact::load(engine, &reference, Some(&path), limits, None);
    let outcome = match loaded {
        Err(error) => causes(&error),
        Ok(policy) => {
            let checked = policy.validate_settings(&snapshot.settings);
            match checked.and_then(|()| policy.decide(snapshot)) {
                Err(error) => causes(&error),
                Ok(answer) => format!("{answer:?}"),
            }
        }
    };
    outcome.replace(&folder.path().display().to_string(), "")
}

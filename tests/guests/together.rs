//! Right and hostile policies in one process, on one engine: what one does to itself never reaches the
//! other.

use std::{fs, thread, time::Duration};

use precedent::{
    artifact::{self, PolicyRef},
    check::check,
    config::{Deployment, Grants},
    decide::{Answer, Engine, Limits, Policy},
    model::{Phase, Snapshot},
    observe::{Memory, observe},
    secret::Key,
};

use crate::support::{NEW, OLD, TOKEN, fixture, hostile};

/// The story, in memory: the variable is new, `gateway.remote.token` is old.
pub(super) fn stale(settings: serde_json::Value) -> Snapshot {
    let helm = PolicyRef::Shipped("helm".to_owned());
    let mut deployment = Deployment::without_manifest(helm).unwrap();
    deployment.settings = settings;
    let mut world = Memory::default();
    world.variables.insert(TOKEN.to_owned(), NEW.to_owned());
    let config = format!(r#"{{"gateway":{{"mode":"local","remote":{{"token":"{OLD}"}}}}}}"#);
    world.files.insert("/home/node/.openclaw/openclaw.json".into(), config);
    observe(&deployment, &world, &Key::new([7; 32]), Phase::Start, 2).snapshot
}

/// Short, for many policies here never answer.
pub(super) fn limits() -> Limits {
    Limits { deadline: Duration::from_millis(100), ..Limits::default() }
}

fn helm(engine: &Engine) -> Policy {
    let helm = PolicyRef::Shipped("helm".to_owned());
    // A right policy is given time: its thread may have to wait for the hostile ones.
    let limits = Limits { deadline: Duration::from_secs(60), ..Limits::default() };
    artifact::load(engine, &helm, None, limits, None).unwrap()
}

/// Those of the hostile guests that load, on this engine.
fn hostile(engine: &Engine) -> Vec<(String, Option<Policy>)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile.wasm");
    let reference = PolicyRef::from_argument("hostile.wasm");
    let load = |guest: hostile::Hostile| {
        fs::write(&path, &guest.component).unwrap();
        let loaded = artifact::load(engine, &reference, Some(&path), limits(), None);
        (guest.name, loaded.ok())
    };
    hostile::all().into_iter().map(load).collect()
}

/// Settings, then a decision: all that a host asks of a policy.
fn ask(policy: &Policy, snapshot: &Snapshot) {
    let _ = policy.validate_settings(&snapshot.settings);
    let _ = policy.decide(snapshot);
}

#[test]
fn after_each_hostile_policy_the_same_engine_decides_right() {
    let snapshot = stale(serde_json::json!({}));
    let right: Answer = helm(&Engine::new().unwrap()).decide(&snapshot).unwrap();
    assert!(!right.as_ref().unwrap().actions.is_empty(), "there is something to repair");
    let engine = Engine::new().unwrap();
    let good = helm(&engine);
    for (name, policy) in hostile(&engine) {
        if let Some(policy) = policy {
            ask(&policy, &snapshot);
        }
        assert_eq!(good.decide(&snapshot).unwrap(), right, "after {name}");
    }
}

#[test]
fn threads_that_mix_hostile_and_right_policies_get_right_decisions() {
    let snapshot = stale(serde_json::json!({}));
    let engine = Engine::new().unwrap();
    let good = helm(&engine);
    let right = good.decide(&snapshot).unwrap();
    let bad: Vec<_> = hostile(&engine).into_iter().filter_map(|(_, policy)| policy).collect();
    assert!(bad.len() > 25, "only {} run at all", bad.len());
    thread::scope(|scope| {
        for start in 0..4 {
            let (snapshot, good, right, bad) = (&snapshot, &good, &right, &bad);
            scope.spawn(move || {
                // Each begins elsewhere, so that different ones run at once.
                for policy in bad.iter().cycle().skip(start * bad.len() / 4).take(bad.len()) {
                    ask(policy, snapshot);
                    assert_eq!(good.decide(snapshot).unwrap(), *right);
                }
            });
        }
    });
}

/// No place of the preset says when its secret expires, so the snapshot is told.
#[test]
fn an_expired_copy_is_no_source() {
    let path = fixture::misbehaving();
    let reference = PolicyRef::from_argument("misbehaving.wasm");
    let engine = Engine::new().unwrap();
    let policy = artifact::load(&engine, &reference, Some(path), limits(), None).unwrap();
    let mut snapshot = stale(serde_json::json!({ "way": "replace" }));
    let mut grants = Grants::default();
    grants.write.insert("config.remote-token".to_owned());
    for (expires, rules) in [(None, vec![]), (Some(3), vec![]), (Some(2), vec!["source-expired"])] {
        let source = snapshot.locations.iter_mut().find(|l| l.name == "env.gateway-token");
        source.unwrap().expires = expires;
        let decision = policy.decide(&snapshot).unwrap().unwrap();
        let broken = check(&snapshot, decision, &grants).err().map(|violations| violations.0);
        let broken: Vec<_> = broken.iter().flatten().map(|violation| &*violation.rule).collect();
        assert_eq!(broken, rules, "expires {expires:?}");
    }
}

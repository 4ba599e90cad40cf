//! What the host forbids, tried by a guest of each version: one check for all of them.

use std::{collections::BTreeSet, fs};

use precedent::{
    Host, Ruling,
    check::{Violation, check},
    config::Grants,
    decide::{Engine, Limits},
    model::{Fault, Phase, Presence, Reference, ReferenceKind, Snapshot},
    observe::Memory,
};
use serde_json::json;

use super::{Guest, deployment, guests, load, path_of, snapshot};
use crate::support::{hosted, root};

/// A way to break a rule: the steps that the guest is to take, and the rule.
const BROKEN: &[(&str, &str)] = &[
    ("verdict 99 nothing; verdicts", "unknown-consumer"),
    ("verdicts; restart 4294967295", "unknown-consumer"),
    ("verdicts; verdict gateway nothing", "verdict-twice"),
    ("", "verdict-missing"),
    ("verdict cli nothing", "verdict-missing"),
    ("verdicts; remove 9999", "unknown-location"),
    ("verdicts; write 9999 config.token", "unknown-location"),
    ("verdicts; write env.token 4294967295", "unknown-location"),
    ("verdicts; refer env.token 9999", "unknown-location"),
    ("verdicts; mint token 9999", "unknown-location"),
    ("verdicts; refresh 9999", "unknown-location"),
    ("verdicts; finding info lost 0 9999", "unknown-location"),
    ("verdicts; verdict cli copy 9999", "unknown-location"),
    ("verdicts; verdict cli nothing 9999", "unknown-location"),
    ("verdicts; verdict cli nothing - 9999", "unknown-location"),
    ("verdicts; verdict cli copy env.password", "other-credential"),
    ("verdicts; verdict cli unresolved env.password", "other-credential"),
    ("verdicts; verdict cli nothing config.password", "other-credential"),
    ("verdicts; write env.token config.password", "other-credential"),
    ("verdicts; refer env.password config.token", "other-credential"),
    ("verdicts; mint password config.token", "other-credential"),
    ("verdicts; mint 9999 config.token", "other-credential"),
    ("verdicts; write config.other config.token", "source-unusable"),
    ("verdicts; write file.token config.token", "source-expired"),
    ("verdicts; refer config.other config.token", "reference-unsupported"),
    ("verdicts; refer env.token dotenv.token", "reference-unsupported"),
    ("verdicts; write env.token unit.token", "not-granted"),
    ("verdicts; refer env.token config.token", "not-granted"),
    ("verdicts; remove config.token", "not-granted"),
    ("verdicts; mint token config.token", "not-granted"),
    ("verdicts; set-fact gateway.mode remote", "not-granted"),
    ("verdicts; set-fact no.such 1", "not-granted"),
    ("verdicts; set-fact no.such 1", "target-read-only"),
    ("verdicts; write config.token env.token", "target-read-only"),
    ("verdicts; write env.token plist.token", "target-unreadable"),
    ("verdicts; write env.token config.other", "reference-replaced"),
    ("verdicts; write env.token config.token; remove config.token", "target-twice"),
    ("verdicts; refresh file.token", "unsupported"),
];

/// Places of every sort, so that each rule can be broken.
fn scene() -> (Snapshot, Grants) {
    let mut snapshot = snapshot("01-stale");
    for location in &mut snapshot.locations {
        match &*location.name {
            "file.token" => location.expires = Some(snapshot.now),
            "plist.token" => location.presence = Presence::Unreadable(Fault::Failed),
            "config.other" => {
                let (kind, target) = (ReferenceKind::Store, "kept".to_owned());
                location.presence = Presence::Reference(Reference { kind, target, resolved: None });
            }
            _ => {}
        }
    }
    (snapshot, deployment().grants)
}

/// The rules that a guest breaks when it takes these steps.
fn broken(guest: &Guest, snapshot: &Snapshot, grants: &Grants, steps: &str) -> Vec<Violation> {
    let snapshot = Snapshot { settings: json!({ "answer": steps }), ..snapshot.clone() };
    let decision = guest.policy.decide(&snapshot).unwrap().unwrap();
    check(&snapshot, decision, grants).err().map(|violations| violations.0).unwrap_or_default()
}

#[test]
fn one_check_holds_for_every_version() {
    let (snapshot, grants) = scene();
    for (steps, rule) in BROKEN {
        let all: Vec<Vec<Violation>> =
            guests().iter().map(|guest| broken(guest, &snapshot, &grants, steps)).collect();
        assert!(all[0].iter().any(|one| one.rule == *rule), "`{steps}`, not {rule}: {:?}", all[0]);
        assert!(all.iter().all(|one| *one == all[0]), "`{steps}`: {all:?}");
    }
    for guest in guests() {
        let steps = ["verdicts", "verdicts; write env.token config.token", "verdicts; restart cli"];
        for steps in steps {
            assert_eq!(broken(guest, &snapshot, &grants, steps), [], "{} `{steps}`", guest.version);
        }
    }
}

/// A rule that is added to the host is added to the table above.
#[test]
fn every_rule_is_tried() {
    let source = fs::read_to_string(root().join("host/src/check.rs")).unwrap();
    let rules: BTreeSet<&str> = source
        .split("break_rule(")
        .skip(1)
        .filter_map(|rest| rest.split('"').nth(1).filter(|_| !rest.starts_with("&mut self")))
        .collect();
    assert!(rules.len() > 12, "{rules:?}");
    assert_eq!(rules, BROKEN.iter().map(|(_, rule)| *rule).collect());
}

/// The rule that is no matter of one decision: what is never done is refused.
#[test]
fn no_version_may_swap_for_ever() {
    let engine = Engine::new().unwrap();
    for Guest { version, .. } in guests() {
        let mut deployment = deployment();
        deployment.grants.mint.insert("config.password".to_owned());
        deployment.settings = json!({"answer": "verdicts; mint password config.password"});
        let policy = load(&engine, &path_of(version), Limits::default());
        let mut world = Memory::default();
        world.files.insert("/home/node/config.json".into(), "{}".to_owned());
        let host = hosted(Host::builder().deployment(deployment).world(world), policy);
        let proposal = host.propose(Phase::Start).unwrap();
        let Ruling::Violated(_, violations) = proposal.ruling else { panic!("{version} may") };
        assert_eq!(violations.0[0].rule, "oscillates", "{version}");
    }
}

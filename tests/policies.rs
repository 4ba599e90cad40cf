//! The shipped policies' cases, in WebAssembly and natively.

use std::{fs, path::PathBuf};

use precedent::{
    artifact::shipped,
    cases::{self, Runner},
    decide::{Answer, json},
};

use crate::support::{Sandbox, helm, root, shipped_policy};

fn case_files(policy: &str) -> Vec<PathBuf> {
    let folder = root().join("policies").join(policy).join("cases");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_shipped_policy_has_cases_and_they_pass() {
    let sandbox = Sandbox::new();
    for policy in shipped() {
        let count = case_files(policy).len();
        assert!(count > 0, "{policy} has no cases");
        let folder = root().join("policies").join(policy).join("cases").display().to_string();
        let output =
            sandbox.command().args(["test", &folder, "--policy", policy]).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(stdout.ends_with(&format!("{count} passed, 0 failed\n")), "{policy}: {stdout}");
    }
}

/// The component and the library it is built from are one policy.
#[test]
fn the_component_decides_as_the_library_does() {
    alike::<precedent_policy_helm::Helm>("helm", &precedent_policy_helm::about());
    alike::<precedent_policy_binary::Binary>("binary", &precedent_policy_binary::about());
    alike::<precedent_policy_nodes::Nodes>("nodes", &precedent_policy_nodes::about());
    alike::<precedent_policy_paas::Paas>("paas", &precedent_policy_paas::about());
}

fn alike<P: precedent_guest::Policy>(name: &str, about: &precedent_guest::About) {
    let (policy, reference) = shipped_policy(name);
    let mut runner = Runner::new(&policy, reference);
    assert_eq!(policy.about().name, about.name);
    assert_eq!(policy.about().version, about.version);
    assert_eq!(policy.about().settings_schema, about.settings_schema);
    for file in case_files(name) {
        for case in cases::parse(&file, &fs::read_to_string(&file).unwrap()).unwrap() {
            let staged = runner.stage(&case).unwrap();
            let snapshot = &staged.observed.snapshot;
            let in_component = policy.decide(snapshot).unwrap();
            let natively = natively::<P>(snapshot);
            assert_eq!(in_component, natively, "{}", case.name);
            assert_drift_is_counted_alike::<P>(snapshot);
        }
    }
}

#[test]
fn the_settings_schema_names_what_the_settings_are() {
    let about = precedent_policy_helm::about();
    let schema: serde_json::Value = serde_json::from_str(&about.settings_schema).unwrap();
    for value in schema["properties"]["persist"]["enum"].as_array().unwrap() {
        let sandbox = Sandbox::stale_remote();
        let setting = format!("persist={}", value.as_str().unwrap());
        assert_eq!(sandbox.run(&["plan", "--set", &setting]).code, Some(0), "{setting}");
    }
}

#[test]
fn a_case_that_fails_says_what_was_expected() {
    let sandbox = Sandbox::new();
    let case = r#"{"name": "wrong on purpose", "env": {"OPENCLAW_GATEWAY_TOKEN": "new"},
        "files": {"~/.openclaw/openclaw.json": {"gateway": {"remote": {"token": "old"}}}},
        "expect": {"consumers": {"cli": {"gateway-token": {"today": "config.remote-token", "wanted": {"value": "old"}}}},
                   "actions": [], "findings": ["no-such-code"], "refusal": "no"}}"#;
    fs::write(sandbox.path("home/wrong.json"), case).unwrap();
    let run = sandbox.run(&["test", "wrong.json"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    for words in [
        "FAIL wrong on purpose",
        "expected \"config.remote-token\"",
        "actual   \"env.gateway-token\"",
        "cli gateway-token wanted",
        "0 passed, 1 failed",
    ] {
        assert!(run.stdout.contains(words), "{words:?} in {}", run.stdout);
    }
    let (code, document) = sandbox.json(&["test", "wrong.json"]);
    assert_eq!(code, Some(1));
    assert_eq!(document["schema"], "precedent.test/1");
    assert_eq!((&document["passed"], &document["failed"]), (&0.into(), &1.into()));
    assert_eq!(document["failures"][0]["name"], "wrong on purpose");
}

#[test]
fn cases_that_cannot_be_read_point() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("home/empty")).unwrap();
    for (name, text, says) in [
        ("typo.json", "{\"expct\": {}}", "typo.json:1: unknown field `expct`"),
        ("cut.json", "{\n\"name\":", "cut.json:2: "),
        ("two.jsonl", "{\"expect\":{}}\n{\"expect\":7}\n", "two.jsonl:2: "),
    ] {
        fs::write(sandbox.path("home").join(name), text).unwrap();
        let run = sandbox.run(&["test", name]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    let run = sandbox.run(&["test", "empty"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("no case found in empty"), "{}", run.stderr);
}

/// Host and SDK each say what drift is; both must say the same.
fn assert_drift_is_counted_alike<P: precedent_guest::Policy>(
    snapshot: &precedent::model::Snapshot,
) {
    let shown: precedent_guest::contract::Snapshot =
        serde_json::from_value(json::shown(snapshot)).unwrap();
    let Ok(guests) = precedent_guest::policy::decide::<P>(shown.clone()) else {
        return;
    };
    let Ok(hosts) = natively::<P>(snapshot) else { return };
    let shown = precedent_guest::Snapshot::new(shown);
    for (guests, hosts) in guests.verdicts.iter().zip(&hosts.verdicts) {
        assert_eq!(shown.drifts(guests), precedent::plan::drifts(snapshot, hosts), "{hosts:?}");
    }
}

/// Decides natively, through the same records.
fn natively<P: precedent_guest::Policy>(snapshot: &precedent::model::Snapshot) -> Answer {
    let shown = serde_json::from_value(json::shown(snapshot)).unwrap();
    match precedent_guest::policy::decide::<P>(shown) {
        Ok(decision) => json::decision(serde_json::to_value(decision).unwrap()).unwrap(),
        Err(refusal) => json::refusal(serde_json::to_value(refusal).unwrap()).unwrap(),
    }
}

/// Promise 1: what crosses the boundary holds neither a secret nor a fingerprint of one.
#[test]
fn a_policy_is_shown_no_secret() {
    let (policy, reference) = helm();
    let mut runner = Runner::new(&policy, reference);
    let text = r#"{"env": {"OPENCLAW_GATEWAY_TOKEN": "canary-new", "OPENCLAW_GATEWAY_URL": "ws://u:canary-p@x"},
        "files": {"~/.openclaw/openclaw.json": {"gateway": {"remote": {"token": "canary-old"}}}}, "expect": {}}"#;
    let case = cases::parse("case.json".as_ref(), text).unwrap().remove(0);
    let staged = runner.stage(&case).unwrap();
    let shown = json::shown(&staged.observed.snapshot).to_string();
    assert!(shown.contains("config.remote-token"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
    for location in &staged.observed.snapshot.locations {
        if let Some(fingerprint) = location.presence.fingerprint() {
            let full = serde_json::to_value(fingerprint).unwrap();
            assert!(!shown.contains(full.as_str().unwrap()), "{shown}");
        }
    }
    // Nor anything that follows from one: other secrets, equal where these are, look the same.
    for (new, old) in
        [("canary-x", "canary-y"), ("canary-y", "canary-x"), ("canary-zz", "canary-1")]
    {
        let other = text.replace("canary-new", new).replace("canary-old", old);
        let other = cases::parse("case.json".as_ref(), &other).unwrap().remove(0);
        let other = runner.stage(&other).unwrap();
        assert_eq!(json::shown(&other.observed.snapshot).to_string(), shown, "{new} {old}");
    }
}

//! The design's promises that no other module shows.

use serde_json::Value;

use crate::support::{Sandbox, TOKEN, helm, hosted};

/// Promise 2: change the secrets, keep which are equal, and the plan's changes are the same bytes.
#[test]
fn no_decision_depends_on_a_secret() {
    let changes = |new: &str, old: &str| -> Vec<(String, Vec<String>)> {
        ["both", "remote-only", "reference", "none"]
            .into_iter()
            .map(|persist| {
                let config = format!(
                    r#"{{"gateway":{{"auth":{{"token":"{new}"}},"remote":{{"token":"{old}"}}}}}}"#
                );
                let sandbox = Sandbox::with_config(&config).env(TOKEN, new);
                let (_, mut plan) = sandbox.json(&["plan", "--set", &format!("persist={persist}")]);
                let folder = sandbox.path("").display().to_string();
                let changes = plan["changes"].take().to_string().replace(&folder, "/");
                let (_, explain) = sandbox.json(&["explain"]);
                let reasons = |of: &Value| -> Vec<String> {
                    of.as_array().unwrap().iter().map(|one| one["reason"].to_string()).collect()
                };
                (changes, reasons(&explain["consumers"]))
            })
            .collect()
    };
    let one = changes("canary-a", "canary-b");
    assert!(one[0].0.contains("config.remote-token"), "{one:?}");
    assert_eq!(one, changes("canary-zzzzzzzz-longer", "canary-1"));
    assert_ne!(one, changes("canary-same", "canary-same"), "equality is seen");
}

/// Promise 6, for the shipped policy: a second run changes nothing.
#[test]
fn what_was_applied_needs_no_more() {
    let configs = [
        r#"{"gateway":{"remote":{"token":"canary-old"}}}"#,
        r#"{"gateway":{"auth":{"token":"canary-old"},"remote":{"token":"canary-older"}}}"#,
        r#"{"gateway":{"auth":{"mode":"token"}}}"#,
        r"{}",
        "{ // comment\n}",
    ];
    for config in configs {
        for persist in ["both", "remote-only", "reference", "none"] {
            let sandbox = Sandbox::with_config(config);
            let set = format!("persist={persist}");
            let first = sandbox.run(&["apply", "--set", &set]);
            assert_eq!(first.code, Some(0), "{config} {persist}: {first:?}");
            let after = sandbox.home();
            let second = sandbox.run(&["apply", "--set", &set]);
            assert!(second.stdout.contains("Nothing to change."), "{config} {persist}: {second:?}");
            assert_eq!(sandbox.home(), after);
            let secret = sandbox.config_text().contains("canary-");
            assert_eq!(secret, matches!(persist, "both" | "remote-only"), "{config} {persist}");
        }
    }
}

/// Promise 8: the fingerprints of two installations cannot be compared, so one cannot be used to
/// guess the other's secret.
#[test]
fn fingerprints_are_an_installations_own() {
    let fingerprint = |sandbox: &Sandbox| {
        let (_, plan) = sandbox.json(&["plan"]);
        plan["fingerprints"]["env.gateway-token"].as_str().unwrap().to_owned()
    };
    let (one, two) = (Sandbox::stale_remote(), Sandbox::stale_remote());
    assert_eq!(fingerprint(&one), fingerprint(&one));
    assert_ne!(fingerprint(&one), fingerprint(&two));
}

/// Promise 4: what somebody else wrote after the look is never written over.
#[test]
fn a_target_that_moved_is_not_written_over() {
    use precedent::{
        Error, Host,
        apply::ApplyFault,
        config::{Deployment, Manifest},
        model::Phase,
        secret::Key,
    };

    let sandbox = Sandbox::stale_remote();
    let manifest = r#"
        deployment.preset = "openclaw"
        policy.name = "helm"
        [[documents]]
        name = "config"
        path = ".openclaw/openclaw.json"
        [[locations]]
        name = "env.gateway-token"
        credential = "gateway-token"
        file = "token"
    "#;
    std::fs::write(sandbox.path("home/token"), "canary-new").unwrap();
    let path = sandbox.path("home/precedent.toml");
    let parsed = Manifest::parse(&path, manifest).unwrap();
    let deployment = Deployment::new(&path, manifest, &parsed, None).unwrap();
    let (policy, _) = helm();
    let host = hosted(Host::builder().deployment(deployment).key(Key::new([7; 32])), policy);
    let proposal = host.propose(Phase::Start).unwrap();
    assert_eq!(proposal.plan().unwrap().changes().len(), 2);

    let theirs = sandbox.config_text().replace("local", "remote");
    std::fs::write(sandbox.config(), &theirs).unwrap();
    let Error::Apply(error) = host.apply(&proposal).unwrap_err() else { panic!("it applied") };
    assert!(matches!(error.fault, ApplyFault::Moved { .. }), "{error}");
    assert!(error.is_retryable());
    assert_eq!(sandbox.config_text(), theirs);
}

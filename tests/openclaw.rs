//! The real gateway: OpenClaw from the npm registry, the last version whose clients read the
//! variable first, and the latest, whose clients read the configuration first.
//!
//! | module | what |
//! |---|---|
//! | `installation` | a release in a home of its own |
//! | `lock` | who writes the configuration when both want to |
//! | `matrix` | states of the copies: what explain says, and what the programs do |
//! | `provide` | it asks us for its token, and applies a plan of ours |
//! | `service` | a unit that holds the only copy of the token |

mod installation;
mod lock;
mod matrix;
mod provide;
mod service;

use std::fs;

use crate::support::{NEW, OLD, Sandbox, TOKEN};
use installation::{CONFIG_FIRST, Installation, Release, VARIABLE_FIRST};

#[test]
fn clients_that_read_the_variable_first() {
    whole_story(&VARIABLE_FIRST);
}

#[test]
fn clients_that_read_the_configuration_first() {
    whole_story(&CONFIG_FIRST);
}

/// A reference leads where the release in question finds the variable: since 2026.4 not in a `.env` of
/// the working directory.
#[test]
fn a_reference_does_not_lead_to_a_file_that_the_release_ignores() {
    let sandbox = Sandbox::new().policy("binary");
    let config = r#"{"gateway":{"mode":"local","auth":{"token":"${OPENCLAW_GATEWAY_TOKEN}"}}}"#;
    fs::write(sandbox.config(), config).unwrap();
    fs::write(sandbox.path("home/.env"), format!("{TOKEN}={OLD}\n")).unwrap();
    let explain = |version: &str| {
        let known = format!("openclaw-version={version}");
        let (_, said) = sandbox.json(&["explain", "--phase", "start", "--attribute", &known]);
        let findings = said["findings"].as_array().unwrap();
        let missing = findings.iter().any(|one| one["code"] == "variable-missing");
        (said["consumers"][0]["standing"].clone(), missing)
    };
    assert_eq!(explain("2026.3.8"), ("copy".into(), false));
    assert_eq!(explain("2026.7.35"), ("unresolved".into(), true));
    assert_eq!(explain("2026.9.6"), ("unresolved".into(), true));

    // The state directory's own file is what it gets then, not what comes first.
    fs::write(sandbox.path("home/.openclaw/.env"), format!("{TOKEN}={NEW}\n")).unwrap();
    assert_eq!(explain("2026.9.6"), ("copy".into(), false));
}

fn apply(pod: &mut Installation, token: &str, more: &[&str]) {
    pod.sandbox.set(TOKEN, token);
    let run = pod.sandbox.run(&[&["apply", "--policy", "helm", "--phase", "start"], more].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
}

fn whole_story(release: &'static Release) {
    let Some(mut pod) = Installation::new(release) else { return };
    let version = release.version;

    // The pod restarts with a stale gateway.remote.token on its volume.
    pod.write(None, Some(OLD));
    let mut gateway = pod.start(NEW);
    let mismatch = pod.health(None);
    assert_eq!(mismatch.status.code(), Some(1), "{mismatch:?}");
    let stderr = String::from_utf8_lossy(&mismatch.stderr).into_owned();
    assert!(stderr.contains("gateway token mismatch"), "{stderr}");
    apply(&mut pod, NEW, &[]);
    pod.wait_until_ready(&mut gateway);
    pod.becomes_healthy(None);
    drop(gateway);

    // The Secret is rotated, and the pod restarts.
    apply(&mut pod, "canary-rotated", &[]);
    let gateway = pod.start("canary-rotated");
    assert!(pod.accepts("canary-rotated"));
    assert!(!pod.accepts(NEW), "the old token is refused");
    pod.becomes_healthy(None);
    drop(gateway);

    // A stale gateway.auth.token makes the server itself switch to it.
    pod.write(Some(OLD), Some(OLD));
    let gateway = pod.start("canary-rotated");
    assert!(!pod.accepts("canary-rotated"), "the server reads the configuration first");
    assert!(pod.accepts(OLD));
    let known = format!("openclaw-version={version}");
    let (_, explained) = pod.sandbox.json(&["explain", "--policy", "helm", "--attribute", &known]);
    let server = &explained["consumers"][0];
    assert_eq!(server["consumer"], "gateway");
    assert_eq!(server["today"], "config.auth-token", "and explain says so");
    assert_eq!(server["drift"], true);
    drop(gateway);
    apply(&mut pod, "canary-rotated", &[]);
    let gateway = pod.start("canary-rotated");
    assert!(pod.accepts("canary-rotated"));
    assert!(!pod.accepts(OLD));
    pod.becomes_healthy(None);
    drop(gateway);

    // No plain text on the volume: references to the variable.
    apply(&mut pod, "canary-rotated", &["--set", "persist=reference", "--attribute", &known]);
    assert!(!pod.sandbox.config_text().contains("canary-"));
    let gateway = pod.start("canary-rotated");
    assert!(pod.accepts("canary-rotated"));
    pod.becomes_healthy(Some("canary-rotated"));
    drop(gateway);
}

//! A case of a real installation, without its secrets.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::Value;

use crate::support::{NEW, OLD, Sandbox, TOKEN};

/// A service whose unit and drop-in hold other tokens than the configuration, and much else that is
/// nobody's business.
fn installation() -> Sandbox {
    let sandbox = Sandbox::new().policy("binary").env(TOKEN, NEW);
    let config = format!(
        r#"{{"gateway": {{"auth": {{"token": "{OLD}"}}, "remote": {{"token": "{NEW}"}}}},
            "channels": {{"slack": {{"botToken": "canary-slack"}}}}}}"#
    );
    fs::write(sandbox.config(), config).unwrap();
    let folder = sandbox.path("home/.config/systemd/user");
    fs::create_dir_all(folder.join("openclaw-gateway.service.d")).unwrap();
    let unit = "[Unit]\nDescription=OpenClaw Gateway (v2026.9.6)\n[Service]\nExecStart=/usr/bin/node /opt/x gateway\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-unit\n";
    fs::write(folder.join("openclaw-gateway.service"), unit).unwrap();
    let drop_in = "[Service]\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-drop-in\n";
    fs::write(folder.join("openclaw-gateway.service.d/10-token.conf"), drop_in).unwrap();
    sandbox
}

#[test]
fn a_case_decides_as_the_installation_and_holds_no_secret() {
    let sandbox = installation();
    let run = sandbox.run(&[
        "capture",
        "--policy",
        "binary",
        "--name",
        "after a rotation",
        "--out",
        "case.json",
    ]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!run.stderr.contains("decides differently"), "{run:?}");
    assert!(
        run.stderr.contains(
            "4 secrets as stand-ins; run it with: precedent test --policy binary case.json"
        ),
        "{run:?}"
    );
    let text = fs::read_to_string(sandbox.path("home/case.json")).unwrap();
    assert!(!text.contains("canary"), "{text}");
    assert!(!text.contains(&sandbox.path("home").display().to_string()), "{text}");
    let case: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(case["name"], "after a rotation");
    assert_eq!(
        case["locations"]["unit.gateway-token@10-token.conf"]["attributes"]["from"],
        "drop-in"
    );
    // Of the facts only what the decision goes by.
    assert_eq!(case["facts"]["openclaw-version.description"], "OpenClaw Gateway (v2026.9.6)");
    assert_eq!(case["facts"].get("configurations"), None, "{text}");
    // Copies that are equal stay equal.
    let env = &case["locations"]["env.gateway-token"];
    assert_eq!(case["locations"]["config.remote-token"]["value"], *env);
    assert_ne!(case["locations"]["config.auth-token"]["value"], *env);
    let (_, plan) = sandbox.json(&["plan", "--policy", "binary"]);
    let planned = plan["changes"].as_array().unwrap().len();
    assert_eq!(case["expect"]["actions"].as_array().unwrap().len(), planned, "{plan:#}");
    let run = sandbox.run(&["test", "case.json", "--policy", "binary"]);
    assert!(run.stdout.ends_with("1 passed, 0 failed\n"), "{run:?}");
    // On standard output for whoever wants it there.
    let run = sandbox.run(&["capture", "--policy", "helm"]);
    let case: Value = serde_json::from_str(&run.stdout).unwrap();
    assert!(case["name"].as_str().unwrap().starts_with("openclaw as it was at 20"), "{run:?}");
}

#[test]
fn what_cannot_be_read_or_written_is_part_of_a_case() {
    let sandbox = installation();
    fs::write(sandbox.config(), "{ not json").unwrap();
    let run = sandbox.run(&["capture", "--policy", "helm", "--out", "case.json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let text = fs::read_to_string(sandbox.path("home/case.json")).unwrap();
    let case: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(case["locations"]["config.auth-token"]["unreadable"], "syntax");
    assert_eq!(sandbox.run(&["test", "case.json", "--policy", "helm"]).code, Some(0));
    let folder = sandbox.path("home/.openclaw");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let nowhere = sandbox.run(&["capture", "--policy", "helm", "--out", "no/such/case.json"]);
    assert_eq!(nowhere.code, Some(3), "{nowhere:?}");
    assert!(nowhere.stderr.contains("cannot write no/such/case.json"), "{nowhere:?}");
}

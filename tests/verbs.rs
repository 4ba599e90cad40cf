//! Exit codes and the shapes that scripts rely on.

use std::fs;

use serde_json::json;

use crate::support::{NEW, OLD, Sandbox, TOKEN};

#[test]
fn the_exit_code_tells_sync_from_drift() {
    let sandbox = Sandbox::stale_remote();
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    assert_eq!(sandbox.run(&["plan"]).code, Some(0));
    assert_eq!(sandbox.run(&["plan", "--check"]).code, Some(4));
    assert_eq!(sandbox.run(&["check"]).code, Some(4));
    let before = sandbox.home();
    assert_eq!(sandbox.run(&["apply", "--dry-run"]).code, Some(0));
    assert_eq!(sandbox.home(), before, "a dry run writes nothing");
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(sandbox.run(&["plan", "--check"]).code, Some(0));
    let check = sandbox.run(&["check"]);
    assert_eq!((check.code, check.stdout.as_str()), (Some(0), "openclaw: in sync\n"));
    assert_eq!(sandbox.run(&["check", "--quiet"]).stdout, "");
}

#[test]
fn explain_as_json_has_the_shape_that_scripts_rely_on() {
    let sandbox = Sandbox::stale_remote();
    let (code, document) = sandbox.json(&["explain"]);
    assert_eq!(code, Some(0));
    assert_eq!(document["schema"], "precedent.explain/1");
    assert_eq!(document["deployment"], "openclaw");
    assert_eq!(document["policy"]["name"], "helm");
    let digest = document["policy"]["digest"].as_str().unwrap();
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{digest}");
    let cli = document["consumers"]
        .as_array()
        .unwrap()
        .iter()
        .find(|c| c["consumer"] == "cli" && c["credential"] == "gateway-token")
        .unwrap();
    assert_eq!(cli["today"], "env.gateway-token");
    assert_eq!(cli["wanted"], "env.gateway-token");
    assert_eq!(cli["next"], "config.remote-token");
    assert_eq!(cli["drift"], false);
    assert!(cli["reason"].as_str().unwrap().contains("source of truth"), "{cli}");
    let finding = &document["findings"][0];
    assert_eq!(finding["code"], "token-rotated");
    assert_eq!(finding["severity"], "warning");
    assert_eq!(finding["locations"], json!(["config.remote-token"]));
}

#[test]
fn plan_as_json_has_the_shape_that_scripts_rely_on() {
    let sandbox = Sandbox::stale_remote();
    let (code, document) = sandbox.json(&["plan"]);
    assert_eq!(code, Some(0));
    assert_eq!(document["schema"], "precedent.plan/1");
    let config = sandbox.config().display().to_string();
    assert_eq!(
        document["changes"],
        json!([
            {
                "action": "write",
                "from": "env.gateway-token",
                "to": "config.auth-token",
                "target": format!("{config}#/gateway/auth/token"),
                "reason": "gateway.auth.token follows OPENCLAW_GATEWAY_TOKEN",
            },
            {
                "action": "write",
                "from": "env.gateway-token",
                "to": "config.remote-token",
                "target": format!("{config}#/gateway/remote/token"),
                "reason": "gateway.remote.token follows OPENCLAW_GATEWAY_TOKEN",
            },
        ])
    );
}

#[test]
fn apply_as_json_says_what_became_of_each_change() {
    let sandbox = Sandbox::stale_remote();
    let (code, document) = sandbox.json(&["apply"]);
    assert_eq!(code, Some(0));
    assert_eq!(document["schema"], "precedent.apply/1");
    assert_eq!(document["outcome"][0]["status"], "applied");
    assert_eq!(document["outcome"][1]["to"], "config.remote-token");
    assert_eq!(document["drift"], false);
}

#[test]
fn a_kept_plan_is_written_only_if_nothing_moved() {
    let sandbox = Sandbox::stale_remote();
    assert_eq!(sandbox.run(&["plan", "--out", "plan.json"]).code, Some(0));
    let original = sandbox.config_text();
    // Somebody else writes in the meantime.
    fs::write(sandbox.config(), original.replace("local", "local ")).unwrap();
    let moved = sandbox.run(&["apply", "plan.json"]);
    assert_eq!(moved.code, Some(2));
    assert!(moved.stderr.contains("targets differ"), "{}", moved.stderr);
    assert!(sandbox.config_text().contains(OLD));
    fs::write(sandbox.config(), original).unwrap();
    // The secret that was agreed to is no longer the one that would be written.
    let sandbox = sandbox.env(TOKEN, "canary-other");
    let moved = sandbox.run(&["apply", "plan.json"]);
    assert_eq!(moved.code, Some(2), "{moved:?}");
    assert!(moved.stderr.contains("fingerprints differ"), "{}", moved.stderr);
    let sandbox = sandbox.env(TOKEN, NEW);
    assert_eq!(sandbox.run(&["apply", "plan.json"]).code, Some(0));
    assert!(sandbox.config_text().contains(NEW));
}

#[test]
fn an_edited_plan_is_just_another_plan() {
    let sandbox = Sandbox::stale_remote();
    sandbox.run(&["plan", "--out", "plan.json"]);
    let path = sandbox.path("home/plan.json");
    let edited = fs::read_to_string(&path).unwrap().replace("/gateway/auth/token", "/evil");
    fs::write(&path, edited).unwrap();
    let run = sandbox.run(&["apply", "plan.json"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(!sandbox.config_text().contains("evil"));
    for wrong in ["{}", "not json", "{\"schema\":\"precedent.plan/99\"}"] {
        fs::write(&path, wrong).unwrap();
        let run = sandbox.run(&["apply", "plan.json"]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("plan.json"), "{}", run.stderr);
    }
}

#[test]
fn one_setting_can_be_overridden() {
    let sandbox = Sandbox::stale_remote();
    let (_, document) = sandbox.json(&["plan", "--set", "persist=none"]);
    assert_eq!(document["changes"][0]["action"], "remove");
    assert_eq!(document["changes"].as_array().unwrap().len(), 1);
    let run = sandbox.run(&["explain", "--set", "persist=none"]);
    assert!(
        run.stdout.contains("precedent apply --policy helm --set persist=none"),
        "{}",
        run.stdout
    );
}

#[test]
fn every_run_leaves_one_record() {
    let sandbox = Sandbox::stale_remote();
    for verb in ["explain", "plan", "check", "apply", "apply"] {
        sandbox.run(&[verb]);
    }
    let journal = fs::read_to_string(sandbox.path("state/journal-openclaw.jsonl")).unwrap();
    let records: Vec<serde_json::Value> =
        journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let verbs: Vec<&str> = records.iter().map(|r| r["verb"].as_str().unwrap()).collect();
    assert_eq!(verbs, ["explain", "plan", "check", "apply", "apply"]);
    assert_eq!(records[3]["schema"], "precedent.record/1");
    assert_eq!(records[3]["outcome"]["changes"][0]["status"], "applied");
    assert_eq!(records[4]["plan"]["changes"], json!([]));
    let digest = |index: usize| records[index]["digests"]["snapshot"].clone();
    assert_ne!(digest(3), digest(4), "the second apply saw another installation");
    use std::os::unix::fs::PermissionsExt;
    let mode = |name: &str| fs::metadata(sandbox.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("state/journal-openclaw.jsonl"), 0o600);
    assert_eq!(mode("state/key"), 0o600);
    assert_eq!(mode("state"), 0o700);
}

#[test]
fn a_run_that_fails_is_recorded_too() {
    let sandbox = Sandbox::stale_remote();
    assert_eq!(sandbox.run(&["apply", "--set", "persist=bth"]).code, Some(2));
    assert_eq!(sandbox.run(&["check", "--policy", "./missing.wasm"]).code, Some(3));
    assert_eq!(sandbox.run(&["apply", "--dry-run"]).code, Some(0));
    let journal = fs::read_to_string(sandbox.path("state/journal-openclaw.jsonl")).unwrap();
    let errors: Vec<String> = journal
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["error"].to_string())
        .collect();
    assert!(errors[0].contains("refused its settings"), "{errors:?}");
    assert!(errors[1].contains("missing.wasm"), "{errors:?}");
    assert_eq!(errors[2], "null", "{errors:?}");
}

#[test]
fn the_journal_that_cannot_be_written_does_not_stop_a_start() {
    let sandbox = Sandbox::stale_remote().env("PRECEDENT_STATE_DIR", "/proc/nowhere");
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("warning: no journal"), "{}", run.stderr);
    assert!(sandbox.config_text().contains(NEW));
}

#[test]
fn wrong_words_are_usage() {
    let sandbox = Sandbox::new();
    let cases: &[(&[&str], &str)] = &[
        (&["repair"], "unrecognized subcommand"),
        (&["explain", "--fromat", "json"], "--format"),
        (&["explain", "--format", "xml"], "text, json"),
        (&["plan", "--set", "persist"], "KEY=VALUE"),
        (&["explain", "--policy", "hlem"], "expected one of `binary`, `helm`"),
        (&["explain", "--manifest", "nowhere.toml"], "nowhere.toml"),
        (&["apply", "nowhere.json"], "nowhere.json"),
        (&["test", "nowhere"], "nowhere"),
    ];
    for (args, says) in cases {
        let run = sandbox.run(args);
        assert_eq!(run.code, Some(2), "{args:?}: {run:?}");
        assert!(run.stderr.contains(says), "{args:?}: {}", run.stderr);
    }
}

#[test]
fn the_variable_is_trimmed_as_openclaw_trims_it() {
    let sandbox = Sandbox::stale_remote().env(TOKEN, "canary-new\n");
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(sandbox.config_text().contains("\"canary-new\""), "no newline inside");
    assert_eq!(sandbox.run(&["check"]).code, Some(0));
}

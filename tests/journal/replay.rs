//! Recorded runs through another policy.

use std::fs;

use serde_json::{Value, json};

use super::five_runs;
use crate::support::{Sandbox, fixture};

#[test]
fn the_same_policy_decides_the_same() {
    let sandbox = five_runs();
    let before = sandbox.kept();
    let run = sandbox.run(&["replay", "--policy", "helm"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.contains("Every decision would be the same."), "{}", run.stdout);
    assert_eq!(sandbox.kept(), before, "a replay is no run, and writes nothing");
    let (code, document) = sandbox.json(&["replay", "--policy", "helm", "--words"]);
    assert_eq!(code, Some(0), "{document}");
    assert_eq!(document["schema"], "precedent.replay/1");
    assert_eq!(
        (&document["records"], &document["distinct"], &document["skipped"], &document["checked"]),
        (&json!(4), &json!(2), &json!(1), &json!(true))
    );
}

#[test]
fn another_setting_flips_what_it_is_about() {
    let sandbox = five_runs();
    let args = ["replay", "--policy", "helm", "--set", "persist=none"];
    let (code, document) = sandbox.json(&args);
    assert_eq!(code, Some(1));
    let flips = document["flips"].as_array().unwrap();
    assert_eq!(flips.len(), 2, "{document}");
    // The one that was seen last first; one in many records once, with its count.
    assert_eq!((&flips[0]["count"], &flips[0]["records"]), (&json!(1), &json!([4])));
    assert_eq!((&flips[1]["count"], &flips[1]["records"]), (&json!(3), &json!([1, 2, 3])));
    assert_eq!(flips[1]["first"]["record"], 1);
    assert_eq!(flips[1]["last"]["record"], 3);
    let difference = &flips[1]["differences"][0];
    assert_eq!(difference["what"], "actions");
    assert_eq!(difference["would-be"], json!([{"remove": "config.remote-token"}]));
    let run = sandbox.run(&args);
    assert_eq!(run.code, Some(1));
    assert!(run.stdout.contains("3 records, the first 1 at "), "{}", run.stdout);
    assert!(run.stdout.contains("+ would be remove config.remote-token"), "{}", run.stdout);
    // The filters choose what is replayed.
    let (code, document) = sandbox.json(&[&args[..], &["--result", "in-sync"]].concat());
    assert_eq!((code, &document["records"]), (Some(1), &json!(1)));
    let (code, document) = sandbox.json(&[&args[..], &["--last", "2"]].concat());
    assert_eq!((code, &document["records"], &document["skipped"]), (Some(1), &json!(1), &json!(1)));
    let run = sandbox.run(&[&args[..], &["--result", "failed"]].concat());
    assert_eq!(run.code, Some(2), "nothing checked is no success: {run:?}");
    assert!(run.stderr.contains("1 without a decision"), "{}", run.stderr);
}

#[test]
fn another_policy_flips_what_it_sees_otherwise() {
    let sandbox = five_runs();
    let run = sandbox.run(&["replay", "--policy", "binary"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("cli gateway-token wanted"), "{}", run.stdout);
    assert!(run.stdout.contains("+ would be config.auth-token"), "{}", run.stdout);
    assert!(run.stdout.contains("code remote-copy-stale"), "{}", run.stdout);
}

/// The settings that each run had are the candidate's too, unless somebody says otherwise.
#[test]
fn settings_are_those_of_the_run() {
    let sandbox = Sandbox::stale_remote();
    assert_eq!(sandbox.run(&["check", "--set", "persist=none"]).code, Some(4));
    assert_eq!(sandbox.run(&["replay", "--policy", "helm"]).code, Some(0));
    // Those of the manifest.
    let manifest =
        "deployment.preset = \"openclaw\"\npolicy.name = \"helm\"\nsettings.persist = \"both\"\n";
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
    assert_eq!(sandbox.run(&["replay"]).code, Some(0));
    assert_eq!(sandbox.run(&["replay", "--settings-from-manifest"]).code, Some(1));
    // What the candidate does not know is a flip; what the user gives it, a mistake.
    let (code, document) = sandbox.json(&["replay", "--policy", "binary"]);
    assert_eq!((code, &document["flips"][0]["kind"]), (Some(1), &json!("settings")));
    for args in [
        ["replay", "--set", "persist=bth"],
        ["replay", "--set", "persist"],
        ["replay", "--policy", "hlem"],
    ] {
        let run = sandbox.run(&args);
        assert_eq!(run.code, Some(2), "{args:?}: {run:?}");
    }
}

#[test]
fn a_refusal_a_trap_and_a_broken_rule_are_flips_of_their_own() {
    let sandbox = five_runs();
    let policy = fixture::misbehaving().display().to_string();
    let kinds = |sandbox: &Sandbox, way: &str| -> (Option<i32>, Value, Value) {
        let way = format!("way={way}");
        let (code, document) = sandbox.json(&["replay", "--policy", &policy, "--set", &way]);
        (code, document["flips"][0]["kind"].clone(), document["checked"].clone())
    };
    assert_eq!(kinds(&sandbox, "trap"), (Some(1), json!("error"), json!(false)));
    let run = sandbox.run(&["replay", "--policy", &policy, "--set", "way=trap"]);
    assert!(run.stdout.contains("no answer") && run.stdout.contains("crashed"), "{}", run.stdout);
    assert!(run.stdout.contains("the host's rules were not asked"), "{}", run.stdout);
    // Without a manifest nobody says what it would be granted; with one, the grants of its policy are.
    assert_eq!(kinds(&sandbox, "set-fact").1, json!("decision"));
    fs::write(
        sandbox.path("home/precedent.toml"),
        "deployment.preset = \"openclaw\"\npolicy.name = \"helm\"\n",
    )
    .unwrap();
    assert_eq!(kinds(&sandbox, "set-fact"), (Some(1), json!("violations"), json!(true)));
}

/// A run whose decision broke the rules was not a decision: that it would not any more is a flip.
#[test]
fn what_was_violated_is_compared_with_its_rules() {
    let sandbox = Sandbox::stale_remote();
    let manifest =
        "deployment.preset = \"openclaw\"\npolicy.name = \"helm\"\n[grants]\nwrite = []\n";
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
    assert_eq!(sandbox.run(&["check"]).code, Some(1));
    assert_eq!(sandbox.run(&["replay"]).code, Some(0));
    let (_, document) = sandbox.json(&["log", "--result", "violated"]);
    assert_eq!(document["records"][0]["violations"][0], "not-granted");
    let granted = manifest.replace("[]", "[\"config.auth-token\", \"config.remote-token\"]");
    fs::write(sandbox.path("home/precedent.toml"), granted).unwrap();
    let (code, document) = sandbox.json(&["replay"]);
    assert_eq!((code, &document["flips"][0]["kind"]), (Some(1), &json!("violations")));
    assert_eq!(document["flips"][0]["differences"][0]["would-be"], json!([]));
}

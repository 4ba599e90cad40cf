//! `precedent test`: filters, formats, coverage, recording, wrong input.

use std::fs;

use crate::support::Sandbox;

fn with_cases(cases: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("home/cases")).unwrap();
    for (name, text) in cases {
        fs::write(sandbox.path("home/cases").join(name), text).unwrap();
    }
    sandbox
}

const STALE: &str = r#"{
  "name": "a stale copy follows",
  "locations": { "env.gateway-token": "new", "config.remote-token": "old" }, // kept
  "expect": "record"
}
"#;

#[test]
fn states_are_said_of_locations_without_any_file() {
    let sandbox = with_cases(&[
        (
            "follows.json",
            r#"{"name": "a stale copy follows",
                "locations": {"env.gateway-token": "new", "config.remote-token": "old"},
                "expect": {"actions": [
                    {"write": {"from": "env.gateway-token", "to": "config.auth-token"}},
                    {"write": {"from": "env.gateway-token", "to": "config.remote-token"}}]}}"#,
        ),
        (
            "read-only.json",
            r#"{"name": "what cannot be written is told of",
                "locations": {"env.gateway-token": "new",
                    "config.remote-token": {"value": "old", "writable": false},
                    "config.auth-token": {"absent": true, "writable": false}},
                "expect": {"actions": [], "findings": ["target-read-only", "version-unknown"]}}"#,
        ),
        (
            "unreadable.json",
            r#"{"name": "a broken document is left alone", "facts": {"gateway.mode": "local"},
                "locations": {"env.gateway-token": "new", "config.remote-token": {"unreadable": "syntax"}},
                "expect": {"consumers": {"gateway": {"gateway-token": {"today": {"invalid": true}}}},
                           "actions": []}}"#,
        ),
        (
            "reference.json",
            r#"{"name": "a reference is kept", "expect": {"findings": ["reference-differs"], "actions": []},
                "locations": {"env.gateway-token": "new", "config.auth-token":
                    {"reference": {"kind": "environment", "target": "OTHER", "value": "other"}}}}"#,
        ),
        (
            "discovered.json",
            r#"{"name": "what was discovered is a location too", "expect": {"actions": []},
                "locations": {"unit.gateway-token@10-token.conf": "old"}}"#,
        ),
    ]);
    let run = sandbox.run(&["test"]);
    assert!(run.stdout.ends_with("5 passed, 0 failed\n"), "{run:?}");
    let run = sandbox.run(&["test", "--filter", "reference", "--filter", "stale"]);
    assert!(run.stdout.ends_with("2 passed, 0 failed\n"), "{run:?}");
}

#[test]
fn only_a_case_that_asks_is_recorded() {
    let strict = STALE.replace(" // kept", "");
    let line =
        r#"{"name": "one of many", "locations": {"env.gateway-token": "a"}, "expect": "record"}"#;
    let wrong = r#"{"name": "wrong", "locations": {}, "expect": {"findings": ["no-such"]}}"#;
    let lines = format!("{wrong}\n{line}\n");
    let sandbox = with_cases(&[("one.json", &strict), ("many.jsonl", &lines)]);
    let run = sandbox.run(&["test"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("run again with --update"), "{run:?}");
    assert!(run.stdout.ends_with("0 passed, 3 failed\n"), "{run:?}");
    let run = sandbox.run(&["test", "--update"]);
    assert_eq!(run.code, Some(1), "what is wrong stays wrong: {run:?}");
    assert!(run.stdout.ends_with("2 recorded\n0 passed, 1 failed\n"), "{run:?}");
    let one = fs::read_to_string(sandbox.path("home/cases/one.json")).unwrap();
    let (before, _) = strict.split_once("\"expect\"").unwrap();
    assert!(one.starts_with(before), "everything else stays as it is written: {one}");
    assert!(one.contains("\"token-rotated\""), "{one}");
    let many = fs::read_to_string(sandbox.path("home/cases/many.jsonl")).unwrap();
    assert!(many.starts_with(wrong), "{many}");
    let run = sandbox.run(&["test"]);
    assert!(run.stdout.ends_with("2 passed, 1 failed\n"), "{run:?}");
    let again = sandbox.run(&["test", "--update"]);
    assert!(!again.stdout.contains("recorded"), "{again:?}");
}

#[test]
fn results_are_for_people_scripts_and_ci_servers() {
    let sandbox = with_cases(&[(
        "one.json",
        r#"{"name": "wrong <&> on purpose", "expect": {"findings": ["a", "b"]},
            "locations": {"env.gateway-token": "new", "config.remote-token": "old"}}"#,
    )]);
    let text = sandbox.run(&["test"]);
    for part in ["cases/one.json", "- \"a\"", "+ \"token-rotated\"", "0 passed, 1 failed"] {
        assert!(text.stdout.contains(part), "no `{part}` in {}", text.stdout);
    }
    let (code, document) = sandbox.json(&["test"]);
    assert_eq!(code, Some(1));
    assert_eq!(document["schema"], "precedent.test/1");
    assert_eq!(document["failures"][0]["source"], "cases/one.json");
    assert_eq!(document["failures"][0]["expected"]["findings"], serde_json::json!(["a", "b"]));
    let junit = sandbox.run(&["test", "--format", "junit"]);
    assert_eq!(junit.code, Some(1));
    for part in [
        "<testsuites name=\"precedent test\" tests=\"1\"",
        "failures=\"1\"",
        "name=\"wrong &lt;&amp;&gt; on purpose\" classname=\"cases/one.json\"",
        "<failure message=\"findings: expected",
    ] {
        assert!(junit.stdout.contains(part), "no `{part}` in {}", junit.stdout);
    }
}

#[test]
fn coverage_says_what_no_case_reaches() {
    let sandbox = with_cases(&[(
        "one.json",
        r#"{"name": "nothing to go by", "locations": {}, "expect": {"findings": ["document-absent", "token-not-set"]}}"#,
    )]);
    let (code, document) = sandbox.json(&["test", "--coverage", "--states", "400"]);
    assert_eq!(code, Some(0), "{document:#}");
    let findings = &document["coverage"]["findings-and-refusals"];
    let missing = findings["missing"].as_array().unwrap();
    assert!(missing.contains(&"token-is-placeholder".into()), "{findings:#}");
    assert!(!missing.contains(&"token-not-set".into()), "{findings:#}");
    assert_eq!(
        findings["all"].as_u64().unwrap(),
        findings["reached"].as_u64().unwrap() + missing.len() as u64
    );
    let states = document["coverage"]["states-of-locations"]["missing"].as_array().unwrap();
    assert!(states.contains(&"config.auth-token: expired".into()), "{states:?}");
    let actions = document["coverage"]["actions"]["missing"].as_array().unwrap();
    assert!(!actions.is_empty());
    let text = sandbox.run(&["test", "--coverage", "--states", "400"]);
    assert!(text.stdout.contains("no case: token-is-placeholder"), "{}", text.stdout);
}

/// Each names the file, the place and what would be right.
#[test]
fn wrong_cases_are_refused() {
    for (case, says) in [
        (
            r#"{"expect": {"consumer": {}}}"#,
            "cases/one.json:1: unknown field `consumer`, expected one of",
        ),
        (
            r#"{"expect": {}, "fils": {}}"#,
            "cases/one.json:1: unknown field `fils`, expected one of",
        ),
        (r#"{"expect": "recrod"}"#, "expected what is expected, an object, or \"record\""),
        (
            r#"{"locations": {"config.nope": "a"}, "expect": {}}"#,
            "unknown location `config.nope`, expected one of `env.",
        ),
        (
            r#"{"locations": {"config.auth-token": {"value": "a", "empty": true}}, "expect": {}}"#,
            "exactly one of `value`, `absent`",
        ),
        (
            r#"{"locations": {"config.auth-token": {"unreadable": "gone"}}, "expect": {}}"#,
            "unknown variant `gone`, expected one of `not-permitted`",
        ),
        (
            r#"{"locations": {"config.auth-token": 7}, "expect": {}}"#,
            "a location is a string, null or an object",
        ),
        (
            r#"{"expect": {"consumers": {"clii": {}}}}"#,
            "it expects the consumer `clii`, which is none of `gateway`, `cli`",
        ),
        (
            r#"{"expect": {"consumers": {"cli": {"token": {}}}}}"#,
            "it expects the credential of cli `token`, which is none of `gateway-token`",
        ),
        (
            r#"{"expect": {"consumers": {"cli": {"gateway-token": {"today": "config.auth"}}}}}"#,
            "it expects the location `config.auth`, which is none of",
        ),
        (
            r#"{"expect": {"actions": [{"write": {"from": "env.gateway-token"}}]}}"#,
            "which is none: one of {\"write\"",
        ),
        (
            r#"{"expect": {"actions": [{"remove": "config.nope"}]}}"#,
            "it expects the location `config.nope`",
        ),
        (r#"{"expect": {"actions": ["write"]}}"#, "which is none: one of"),
        (
            r#"{"facts": {"gateway.mood": "remote"}, "expect": {}}"#,
            "unknown fact `gateway.mood`, expected one of",
        ),
        (
            r#"{"incoming": {"gateway-tocken": "new"}, "expect": {}}"#,
            "unknown credential `gateway-tocken`, expected one of `gateway-token`",
        ),
        (r#"{"name": "no expectation"}"#, "missing field `expect`"),
    ] {
        let run = with_cases(&[("one.json", case)]).run(&["test"]);
        assert_eq!(run.code, Some(2), "{case}: {run:?}");
        assert!(run.stderr.contains(says), "{case}: {}", run.stderr);
        assert!(run.stderr.contains("cases/one.json"), "{case}: {}", run.stderr);
    }
    let sandbox = with_cases(&[]);
    assert_eq!(sandbox.run(&["test"]).code, Some(2), "an empty folder is no success");
    assert_eq!(sandbox.run(&["test", "nowhere"]).code, Some(2));
    let sandbox = with_cases(&[("one.json", r#"{"name": "a", "expect": {}}"#)]);
    let run = sandbox.run(&["test", "--filter", "zebra"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stderr.contains("none of 1 cases has `zebra` in its name"), "{run:?}");
}

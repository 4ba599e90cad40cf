//! What OpenClaw's own resolvers were recorded to do, release by release.

use std::path::Path;

use precedent::cases::{self, Read, Runner};
use serde_json::{Value, json};

use crate::support::helm;

#[test]
fn the_recorded_rows_come_out_as_recorded() {
    let read = read("precedence-matrix.jsonl", include_str!("corpus/precedence-matrix.jsonl"));
    assert_eq!(read.left_out, []);
    assert_eq!(read.cases.len(), 7_595, "rows times versions");
    all_pass(&read);
}

/// Rows of our own: the same resolvers of all seven releases, run on inputs that the recorded rows lack,
/// such as references to passwords, and the terminal interface. Each stands for many of its kind.
#[test]
fn what_the_releases_do_with_other_inputs_comes_out_too() {
    let text = include_str!("corpus/precedence-differential.jsonl");
    let read = read("precedence-differential.jsonl", text);
    assert_eq!(read.left_out, []);
    assert_eq!(read.cases.len(), 4_998, "rows times versions");
    all_pass(&read);
}

/// What is left out of the cases of OpenClaw's own suites, and why.
const LEFT_OUT: &[(&str, &[&str])] = &[
    (
        "it is about hooks.token, which is no credential of the preset",
        &[
            "2026.2.26/startup-auth/011-hooks_token_reuse_assert @ 2026.2.26",
            "2026.2.26/startup-auth/013-hooks_token_reuse_assert @ 2026.2.26",
            "2026.3.8/startup-auth/019-hooks_token_reuse_assert @ 2026.3.8",
            "2026.3.8/startup-auth/020-hooks_token_reuse_assert @ 2026.3.8",
            "2026.4.24/startup-auth/025-hooks_token_reuse_assert @ 2026.4.24",
            "2026.4.24/startup-auth/026-hooks_token_reuse_assert @ 2026.4.24",
        ],
    ),
    (
        "a bare value with a variable in it counts as none, where a configuration fails",
        &[
            "2026.3.8/credentials/027-values @ 2026.3.8",
            "2026.3.8/credentials/027-values @ 2026.5.28",
            "2026.3.8/credentials/027-values @ 2026.7.35",
            "2026.3.8/credentials/027-values @ 2026.9.6",
        ],
    ),
    (
        "the secret comes from a file, a command or a variable that the recording lacks",
        &[
            "2026.3.8/gateway-chat/010-tui @ 2026.3.8",
            "2026.3.8/gateway-chat/013-tui @ 2026.3.8",
            "2026.3.8/gateway-chat/014-tui @ 2026.3.8",
            "2026.3.8/runner.credentials/003-node_host @ 2026.3.8",
            "2026.4.24/gateway-chat/011-tui @ 2026.4.24",
            "2026.4.24/gateway-chat/015-tui @ 2026.4.24",
            "2026.4.24/gateway-chat/017-tui @ 2026.4.24",
            "2026.4.24/runner.credentials/003-node_host @ 2026.4.24",
        ],
    ),
];

#[test]
fn the_cases_of_its_own_suites_come_out_as_they_say() {
    let read = read("precedence-cases.json", include_str!("corpus/precedence-cases.json"));
    all_pass(&read);
    assert_eq!(read.cases.len(), 478, "cases times versions");
    let mut left_out: Vec<(&str, &str)> =
        read.left_out.iter().map(|out| (out.name.as_str(), out.why.as_str())).collect();
    let mut expected: Vec<(&str, &str)> =
        LEFT_OUT.iter().flat_map(|(why, names)| names.iter().map(|name| (*name, *why))).collect();
    left_out.sort_unstable();
    expected.sort_unstable();
    assert_eq!(left_out, expected);
}

#[test]
fn a_recording_that_cannot_be_used_points() {
    let row = |key: &str, value: Value| {
        let mut row = json!({
            "id": "m1",
            "consumer": "client_call",
            "config": {},
            "env": {},
            "options": {},
            "expect": [{"versions": ["2026.9.6"]}],
        });
        row[key] = value;
        row.to_string()
    };
    let good = row("env", json!({"OPENCLAW_GATEWAY_TOKEN": "x"}));
    for (bad, message) in [
        (row("consumer", json!("browser")), "unknown consumer `browser`"),
        (row("id", json!(7)), "a recording needs an `id`, a string"),
        (row("config", json!([])), "`config` is no object"),
        (row("env", json!({"A": 1})), "invalid type: integer `1`, expected a string"),
        (row("expect", json!([{}])), "each of `expect` needs `versions`, a list"),
        (row("expect", json!({})), "`expect` is no list, and there is no `source_version`"),
        (
            row("expect", json!([{"versions": ["2026.9.6"], "throws": "out of cheese"}])),
            "`throws` is nothing that is known: out of cheese",
        ),
    ] {
        let error = cases::read("rows.jsonl".as_ref(), &format!("{good}\n\n{bad}\n")).unwrap_err();
        assert_eq!(error.to_string(), format!("rows.jsonl:3: {message}"));
        let document = format!("{{\n\"cases\": [\n{good},\n{bad}\n]}}");
        if !message.contains("`id`") {
            let document = document.replacen("\"m1\"", "\"m0\"", 1);
            let error = cases::read("cases.json".as_ref(), &document).unwrap_err();
            assert_eq!(error.to_string(), format!("cases.json:4: {message}"));
        }
    }
}

#[test]
fn what_a_caller_hands_over_is_used_but_no_fact() {
    let case = json!({
        "deployment": {"attributes": {"openclaw-version": "2026.3.8"}},
        "env": {"CLAWDBOT_GATEWAY_TOKEN": "canary-old-name"},
        "files": {"~/.openclaw/openclaw.json": {"gateway": {"auth": {"token": "canary-file"}}}},
        "options": {"explicitAuth": {"password": " canary-handed "}, "urlOverrideSource": "env"},
        "expect": {"consumers": {
            "cli": {
                "gateway-token": {"today": null},
                "gateway-password": {"today": "call.gateway-password"},
            },
            "probe": {"gateway-token": {"today": "config.auth-token"}},
        }},
    });
    let (policy, reference) = helm();
    let mut runner = Runner::new(&policy, reference);
    let case = cases::parse("case.json".as_ref(), &case.to_string()).unwrap().remove(0);
    let staged = runner.stage(&case).unwrap();
    let told = serde_json::to_string(&staged.observed.snapshot).unwrap();
    assert!(told.contains("option.urlOverrideSource"), "{told}");
    assert!(!told.contains("canary"), "{told}");
    assert_eq!(runner.run(&case).unwrap().mismatches, []);
}

fn read(name: &str, text: &str) -> Read {
    cases::read(Path::new(name), text).unwrap()
}

fn all_pass(read: &Read) {
    let (policy, reference) = helm();
    let mut runner = Runner::new(&policy, reference);
    let wrong: Vec<String> = read
        .cases
        .iter()
        .map(|case| runner.run(case).unwrap())
        .filter(|result| !result.mismatches.is_empty())
        .map(|result| format!("{}: {:?}", result.name, result.mismatches))
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), read.cases.len(), wrong.join("\n"));
}

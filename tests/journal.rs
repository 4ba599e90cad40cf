//! The journal read back: `precedent log`, `replay` and `what-if`, rotation, and journals that are not
//! as they should be.

mod broken;
mod documents;
mod replay;
mod rotation;
mod what_if;

use std::fs;

use proptest::prelude::*;
use serde_json::Value;

use crate::{
    properties::config,
    support::{Sandbox, root},
};

/// Two looks, a change, a look, and a run that fails.
fn five_runs() -> Sandbox {
    let sandbox = Sandbox::stale_remote();
    for args in [
        vec!["explain"],
        vec!["check"],
        vec!["apply"],
        vec!["check"],
        vec!["check", "--policy", "./missing.wasm"],
    ] {
        sandbox.run(&args);
    }
    sandbox
}

fn journal(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("state/journal-openclaw.jsonl")).unwrap()
}

fn numbers(document: &Value) -> Vec<u64> {
    let records = document["records"].as_array().unwrap();
    records.iter().map(|record| record["number"].as_u64().unwrap()).collect()
}

#[test]
fn the_log_shows_what_each_run_came_to() {
    let sandbox = five_runs();
    let before = journal(&sandbox);
    let run = sandbox.run(&["log"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let lines: Vec<Vec<&str>> =
        run.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["RECORD", "WHEN", "VERB", "PHASE", "POLICY", "RESULT", "OUTCOME"]);
    let rows: Vec<(&str, &str, &str)> =
        lines[1..].iter().map(|line| (line[0], line[2], line[3])).collect();
    let expected = [
        ("1", "explain", "check"),
        ("2", "check", "check"),
        ("3", "apply", "repair"),
        ("4", "check", "check"),
        ("5", "check", "check"),
    ];
    assert_eq!(rows, expected, "{}", run.stdout);
    for shown in ["drift, 2 to change", "2 changes", "2 applied, run 000001", "in sync", "error"] {
        assert!(run.stdout.contains(shown), "{shown} in {}", run.stdout);
    }
    assert_eq!(journal(&sandbox), before, "looking at the journal is no run");

    let (code, document) = sandbox.json(&["log"]);
    assert_eq!((code, &document["schema"]), (Some(0), &Value::from("precedent.log/1")));
    let results: Vec<&str> = document["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["result"].as_str().unwrap())
        .collect();
    assert_eq!(results, ["drift", "drift", "changed", "in-sync", "failed"]);
    let first = &document["records"][0];
    assert_eq!(first["policy"]["name"], "helm");
    assert!(first["policy"]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!((&first["changes"], &first["drift"]), (&Value::from(2), &Value::from(false)));
}

#[test]
fn records_are_chosen_by_what_they_say() {
    let sandbox = five_runs();
    let cases: &[(&[&str], &[u64])] = &[
        (&["--verb=check"], &[2, 4, 5]),
        (&["--result", "drift"], &[1, 2]),
        (&["--result", "changed"], &[3]),
        (&["--result", "in-sync"], &[4]),
        (&["--result", "failed"], &[5]),
        (&["--result", "refused"], &[]),
        (&["--finding", "token-rotated"], &[1, 2, 3]),
        (&["--location", "config.remote-token"], &[1, 2, 3]),
        (&["--location", "config.remote"], &[]),
        (&["--last", "2"], &[4, 5]),
        (&["--last", "1", "--result", "drift"], &[2]),
        (&["--since", "7d"], &[1, 2, 3, 4, 5]),
        (&["--since", "2030-01-01"], &[]),
        (&["--until", "2020-01-01"], &[]),
        (
            &["--until", "2099-12-31T23:59:59+02:00", "--since", "2020-01-01T00:00:00Z"],
            &[1, 2, 3, 4, 5],
        ),
    ];
    for (filters, expected) in cases {
        let (code, document) = sandbox.json(&[&["log"], *filters].concat());
        assert_eq!((code, numbers(&document)), (Some(0), expected.to_vec()), "{filters:?}");
    }
    for (args, says) in [
        (vec!["log", "--since", "yesterday"], "an age such as 7d"),
        (vec!["log", "--result", "good"], "in-sync"),
        (vec!["log", "--last", "0"], "0 is not in"),
        (vec!["log", "show"], "takes the number of a record"),
        (vec!["log", "seven"], "`seven` is no number"),
        (vec!["log", "9"], "there is no record 9; the last is 5"),
        (vec!["log", "show", "0"], "there is no record 0"),
    ] {
        let run = sandbox.run(&args);
        assert_eq!(run.code, Some(2), "{args:?}: {run:?}");
        assert!(run.stderr.contains(says), "{args:?}: {}", run.stderr);
    }
}

/// What `explain` showed, the log shows again, when the installation has long changed.
#[test]
fn one_record_is_shown_as_explain_would() {
    let sandbox = Sandbox::stale_remote();
    let explained = sandbox.run(&["explain"]).stdout;
    let (_, was) = sandbox.json(&["explain"]);
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let shown = sandbox.run(&["log", "show", "1"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""));
    assert_eq!(shown.stdout, sandbox.run(&["log", "1"]).stdout);
    let of_both = explained.lines().skip(2).filter(|line| !line.starts_with("To repair"));
    for line in of_both {
        assert!(shown.stdout.contains(line), "{line:?} in\n{}", shown.stdout);
    }
    let (code, document) = sandbox.json(&["log", "show", "2"]);
    assert_eq!((code, &document["schema"]), (Some(0), &Value::from("precedent.log/1")));
    for part in ["consumers", "locations", "findings"] {
        assert_eq!(document["record"][part], was[part], "{part}");
    }
    let changes = sandbox.run(&["log", "3"]).stdout;
    assert!(changes.contains("write env.gateway-token → config.remote-token"), "{changes}");
    assert!(changes.contains("✓ written") && changes.contains("it is run 000001"), "{changes}");
}

#[test]
fn what_others_than_a_decision_left_is_shown_too() {
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(sandbox.run(&["rollback"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw/000002");
    fs::rename(folder.join("done.json"), folder.join("intent.json")).unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let log = sandbox.run(&["log"]).stdout;
    assert!(log.contains("put back") && log.contains("run 000002 done"), "{log}");
    for number in ["2", "3"] {
        assert_eq!(sandbox.run(&["log", number]).code, Some(0));
    }
}

#[test]
fn an_empty_journal_is_nothing_wrong() {
    let sandbox = Sandbox::new();
    let run = sandbox.run(&["log"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.contains("no such run is recorded"), "{}", run.stdout);
    let (code, document) = sandbox.json(&["log"]);
    assert_eq!((code, numbers(&document)), (Some(0), vec![]));
    let run = sandbox.run(&["log", "1"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("the journal has none"), "{}", run.stderr);
    let run = sandbox.run(&["replay", "--policy", "helm"]);
    assert_eq!(run.code, Some(2), "nothing checked is no success: {run:?}");
}

/// Any line, and any run.
#[test]
fn whatever_is_recorded_reads_back_as_it_was() {
    proptest!(config(3000), |(bytes in prop::collection::vec(any::<u8>(), 100..600))| {
        precedent::fuzzing::run("journal", &bytes);
    });
}

/// A record of the first version, which had neither the policy's name nor the forms of the files.
#[test]
fn records_of_earlier_versions_are_read() {
    let sandbox = Sandbox::new();
    let old = root().join("tests/fixtures/records-before-names.jsonl");
    let old = old.to_str().unwrap();
    let run = sandbox.run(&["log", "--journal", old]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(run.stdout.contains("drift, 2 to change"), "{}", run.stdout);
    assert_eq!(sandbox.run(&["log", "1", "--journal", old]).code, Some(0));
    let run = sandbox.run(&["replay", "--policy", "helm", "--journal", old]);
    assert_eq!(run.code, Some(0), "{run:?}");
}

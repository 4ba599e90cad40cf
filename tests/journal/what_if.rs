//! One installation under several policies.

use std::fs;

use serde_json::json;

use crate::support::{Sandbox, fixture};

#[test]
fn policies_stand_side_by_side() {
    let sandbox = Sandbox::stale_remote();
    sandbox.run(&["explain"]);
    let before = (sandbox.home(), sandbox.kept());
    let args = ["what-if", "--policy", "helm", "--policy", "binary"];
    let run = sandbox.run(&args);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let header: Vec<&str> =
        run.stdout.lines().find(|l| l.contains("PROGRAM")).unwrap().split_whitespace().collect();
    assert_eq!(header, ["PROGRAM", "CREDENTIAL", "USES", "TODAY", "HELM", "BINARY"]);
    assert!(run.stdout.contains("binary: copy-differs, remote-copy-stale"), "{}", run.stdout);
    assert!(run.stdout.contains("The policies differ."), "{}", run.stdout);
    let (code, document) = sandbox.json(&args);
    assert_eq!((code, &document["schema"]), (Some(0), &json!("precedent.what-if/1")));
    assert_eq!(document["differ"], true);
    assert_eq!(document["policies"][0]["changes"].as_array().unwrap().len(), 2);
    assert_eq!(document["policies"][1]["changes"], json!([]));
    assert_eq!(document["consumers"][0]["today"], "env.gateway-token");
    assert_eq!(
        document["consumers"][0]["wanted"],
        json!(["env.gateway-token", "env.gateway-token"])
    );
    // Neither files nor records: nothing is written but what a first look compiles.
    let journal = |kept: &[(std::path::PathBuf, Vec<u8>, u32)]| -> Vec<Vec<u8>> {
        let of_state = kept.iter().filter(|(path, ..)| path.starts_with(sandbox.path("state")));
        of_state.map(|(_, bytes, _)| bytes.clone()).collect()
    };
    assert_eq!(sandbox.home(), before.0);
    assert_eq!(journal(&sandbox.kept()), journal(&before.1));
}

#[test]
fn the_exit_code_tells_scripts_whether_they_differ() {
    let sandbox = Sandbox::stale_remote();
    let run = |args: &[&str]| sandbox.run(&[&["what-if"], args].concat());
    assert_eq!(run(&["--policy", "helm", "--policy", "binary", "--check"]).code, Some(4));
    assert_eq!(run(&["--policy", "helm", "--policy", "helm", "--check"]).code, Some(0));
    assert_eq!(run(&["--policy", "helm"]).code, Some(0));
    let two = ["--policy", "helm", "--policy", "binary"];
    for (args, code, says) in [
        (vec![], 2, "--policy"),
        (vec!["--policy", "hlem"], 2, "expected one of `binary`, `helm`"),
        (vec!["--policy", "helm", "--set", "persist"], 2, "KEY=VALUE"),
        (vec!["--policy", "helm", "--manifest", "nowhere.toml"], 2, "nowhere.toml"),
    ] {
        let run = run(&args);
        assert_eq!(run.code, Some(code), "{args:?}: {run:?}");
        assert!(run.stderr.contains(says), "{args:?}: {}", run.stderr);
    }
    // A setting that one of them does not know.
    let run = run(&[&two[..], &["--set", "persist=none"]].concat());
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(run.stdout.contains("refused its settings") && run.stdout.contains("HELM"), "{run:?}");
}

/// One that cannot answer is a column with its error, and the rest goes on.
#[test]
fn one_that_traps_does_not_keep_the_others_from_answering() {
    let sandbox = Sandbox::stale_remote();
    let policy = fixture::misbehaving().display().to_string();
    let args = ["what-if", "--policy", &policy, "--policy", &policy, "--set", "way=trap"];
    let run = sandbox.run(&args);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stdout.contains("no answer") || run.stdout.contains("error"), "{}", run.stdout);
    assert!(run.stdout.contains("crashed"), "{}", run.stdout);
    fs::write(sandbox.path("home/damaged.wasm"), "canary-no-component").unwrap();
    let (code, document) =
        sandbox.json(&["what-if", "--policy", "./damaged.wasm", "--policy", "helm"]);
    assert_eq!(code, Some(3));
    assert_eq!(document["policies"][0]["ruling"], "failed");
    assert!(document["policies"][0]["error"].as_str().unwrap().contains("damaged.wasm"));
    assert_eq!(document["policies"][1]["ruling"], "decided");
    assert_eq!(document["consumers"][0]["wanted"], json!([null, "env.gateway-token"]));
}

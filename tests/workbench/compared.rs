//! `policy diff`

use std::fs;

use crate::support::Sandbox;

#[test]
fn a_policy_is_as_itself() {
    let run = Sandbox::new().run(&["policy", "diff", "helm", "helm", "--states", "600", "--words"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("no difference over 600 states"), "{run:?}");
}

#[test]
fn states_that_differ_are_told_smallest_first_as_cases() {
    let sandbox = Sandbox::new();
    let args =
        ["policy", "diff", "helm", "binary", "--states", "1500", "--show", "3", "--out", "differ"];
    let run = sandbox.run(&args);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("states differ over 1500 states"), "{run:?}");
    let (code, document) = sandbox.json(&args);
    assert_eq!(code, Some(1));
    assert_eq!(document["schema"], "precedent.policy.diff/1");
    let shown = document["shown"].as_array().unwrap();
    assert_eq!(shown.len(), 3, "{document:#}");
    let size =
        |one: &serde_json::Value| one["case"]["name"].as_str().unwrap().matches(", ").count();
    assert!(shown.windows(2).all(|pair| size(&pair[0]) <= size(&pair[1])), "{document:#}");
    for one in shown {
        assert!(!one["differences"].as_array().unwrap().is_empty(), "{one:#}");
    }
    // A person says which of the two is right; the cases are there for it.
    for file in ["differ/01.json", "differ/03.json"] {
        let case = fs::read_to_string(sandbox.path("home").join(file)).unwrap();
        let case = case.replace("\"expect\": {}", "\"expect\": \"record\"");
        fs::write(sandbox.path("home").join(file), case).unwrap();
        assert_eq!(sandbox.run(&["test", file, "--update"]).code, Some(0));
        assert_eq!(sandbox.run(&["test", file]).code, Some(0));
    }
    let other = sandbox.run(&["test", "differ/01.json", "--policy", "binary"]);
    assert_eq!(other.code, Some(1), "the other policy decides differently: {other:?}");
}

/// What a change of the policy would have decided on all that ever happened here.
#[test]
fn recorded_runs_are_states_too() {
    let sandbox = Sandbox::stale_remote();
    let none = sandbox.run(&["policy", "diff", "helm", "binary", "--recorded"]);
    assert_eq!(none.code, Some(2), "{none:?}");
    assert!(none.stderr.contains("there is no record to compare on"), "{none:?}");
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    let same = sandbox.run(&["policy", "diff", "helm", "helm", "--recorded", "--words"]);
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(same.stdout.contains("no difference over 3 records"), "{same:?}");
    let args =
        ["policy", "diff", "helm", "binary", "--recorded", "--result", "drift", "--out", "differ"];
    let (code, document) = sandbox.json(&args);
    assert_eq!(code, Some(1), "{document:#}");
    assert_eq!(document["states"]["records"], 1);
    let last = sandbox.run(&["policy", "diff", "helm", "helm", "--recorded", "--last", "2"]);
    assert!(last.stdout.contains("no difference over 2 records"), "{last:?}");
    let shown = document["shown"].as_array().unwrap();
    assert!(
        shown[0]["case"]["name"].as_str().unwrap().starts_with("record 1 of 20"),
        "{document:#}"
    );
    let case = fs::read_to_string(sandbox.path("home/differ/01.json")).unwrap();
    assert!(case.contains("stand-in-1") && !case.contains("canary"), "{case}");
    assert_eq!(sandbox.run(&["test", "differ"]).code, Some(0));
}

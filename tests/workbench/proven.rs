//! `policy prove`: the shipped policies, and every property broken once.

use std::fs;

use serde_json::Value;

use crate::support::{Run, Sandbox, fixture, root};

/// Few enough for a build that is not optimised; CI looks at many more with one that is.
const STATES: &str = "2500";

#[test]
fn the_shipped_policies_are_proven() {
    // What `paas` is for are places that programs write, of which the preset has none; what `nodes` is for is
    // discovered, so its cases are proven one by one.
    let platforms = root().join("policies/paas/precedent.toml").display().to_string();
    for policy in [&["helm"][..], &["binary"], &["--manifest", &platforms]] {
        let args = [&["policy", "prove"], policy, &["--states", STATES]].concat();
        let run = Sandbox::new().run(&args);
        assert_eq!(run.code, Some(0), "{policy:?}: {run:?}");
        let last = run.stdout.lines().last().unwrap();
        assert!(last.starts_with("proven over 2500 states of about "), "{policy:?}: {last}");
        println!("{policy:?}: {last}");
    }
}

/// A deployment in which everything is granted, and the way to misbehave.
fn misbehaving(way: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let manifest = format!(
        r#"
        deployment.preset = "openclaw"
        policy.file = {:?}
        settings.way = "{way}"
        [grants]
        write = ["config.auth-token", "config.remote-token", "dotenv.gateway-token"]
        mint = ["config.remote-token"]
        "#,
        fixture::misbehaving().display().to_string()
    );
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
    sandbox
}

fn prove(sandbox: &Sandbox, args: &[&str]) -> (Run, Value) {
    let all = [&["policy", "prove", "--format", "json"], args].concat();
    let run = sandbox.run(&all);
    let document = serde_json::from_str(&run.stdout).unwrap_or_default();
    (run, document)
}

#[test]
fn each_property_fails_with_a_case_that_test_can_run() {
    for (way, property, cells) in [
        ("trap", "answers", 0),
        ("rare-trap", "answers", 3),
        ("verdict-missing", "keeps-rules", 0),
        ("needless", "no-needless-action", 2),
        ("mint", "converges", 0),
        // A file of variables is there only where something is in it.
        ("unfinished", "resumes-anywhere", 2),
        ("apart", "ends-alike", 1),
    ] {
        let sandbox = misbehaving(way);
        let folder = sandbox.path("home/failures").display().to_string();
        let only = "env.gateway-token,config.auth-token,config.remote-token,dotenv.gateway-token";
        let args = ["--states", "6000", "--only", only, "--out", &folder];
        let (run, document) = prove(&sandbox, &args);
        assert_eq!(run.code, Some(1), "{way}: {run:?}");
        assert_eq!(document["schema"], "precedent.policy.prove/1");
        let properties = document["properties"].as_array().unwrap();
        let failed = properties.iter().find(|one| one["property"] == property).unwrap();
        assert_eq!(failed["holds"], false, "{way}: {document:#}");
        // Nothing in the state that does not matter.
        let name = failed["case"]["name"].as_str().unwrap();
        let words = if name == "nothing anywhere" { 0 } else { name.split(", ").count() };
        assert_eq!(words, cells, "{way}: {name}");
        let file = format!("failures/{property}.json");
        let run = sandbox.run(&["test", &file]);
        assert_eq!(run.code, Some(1), "{way}: the case should fail: {run:?}");
        assert!(run.stdout.contains(failed["message"].as_str().unwrap()), "{way}: {run:?}");
        // Where the policy keeps its word, the same case passes.
        let case = fs::read_to_string(sandbox.path("home").join(&file)).unwrap();
        let behaves = case.replace(&format!("\"way\": \"{way}\""), "\"way\": \"behave\"");
        fs::write(sandbox.path("home").join(&file), behaves).unwrap();
        let run = sandbox.run(&["test", &file]);
        assert_eq!(run.code, Some(0), "{way}: {run:?}");
    }
}

/// Nothing is shown where nothing was decided, or nothing was asked.
#[test]
fn a_proof_of_nothing_is_none() {
    let sandbox = misbehaving("refuse");
    let (run, document) = prove(&sandbox, &["--states", "50"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(document["proven"], false);
    assert_eq!(document["refused"], document["asked"]);
    let converges = &document["properties"][4];
    assert_eq!(converges["property"], "converges");
    assert_eq!(converges["holds"], Value::Null, "{converges}");
    let text = sandbox.run(&["policy", "prove", "--states", "50"]);
    assert!(text.stdout.contains("nothing shown, for no state got a decision"), "{text:?}");
    assert!(
        text.stdout.contains("deciding again after the plan changes nothing more (not looked at)"),
        "{text:?}"
    );
    // Settings that the policy does not take.
    let sandbox = misbehaving("behave");
    let manifest = fs::read_to_string(sandbox.path("home/precedent.toml")).unwrap();
    let wrong = manifest.replace("settings.way", "settings.ways");
    fs::write(sandbox.path("home/precedent.toml"), wrong).unwrap();
    for args in [&["policy", "prove"][..], &["policy", "diff", "helm", "binary"]] {
        let run = sandbox.run(args);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("refused its settings"), "{run:?}");
    }
}

/// Two policies that do not answer are not alike.
#[test]
fn a_policy_that_does_not_answer_differs() {
    let sandbox = misbehaving("trap");
    let policy = fixture::misbehaving().display().to_string();
    let run = sandbox.run(&["policy", "diff", &policy, &policy, "--states", "20"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("20 states differ over 20 states"), "{run:?}");
}

#[test]
fn people_are_shown_the_smallest_state() {
    let run = misbehaving("rare-trap").run(&[
        "policy",
        "prove",
        "--states",
        "6000",
        "--only",
        "config.auth-token,config.remote-token",
    ]);
    assert_eq!(run.code, Some(1), "{run:?}");
    for part in [
        "  fails  answers, within its limits (not in ",
        "where: repair, config.auth-token holds A, config.remote-token holds B",
        "what:  the policy crashed: ",
        "\"config.remote-token\": \"gateway-token B\"",
        "not proven over ",
    ] {
        assert!(run.stdout.contains(part), "no `{part}` in {}", run.stdout);
    }
}

/// The same seed gives the same states; a small deployment is looked at whole.
#[test]
fn a_proof_says_what_it_covers() {
    let sandbox = misbehaving("behave");
    let covered = |args: &[&str]| prove(&sandbox, args).1["states"].clone();
    let some = covered(&["--states", "300", "--seed", "7"]);
    assert_eq!(some["covered"], 300);
    assert_eq!(some["whole"], false);
    assert_eq!(some["seed"], 7);
    assert_eq!(some, covered(&["--states", "300", "--seed", "7"]));
    fs::write(
        sandbox.path("home/precedent.toml"),
        format!(
            r#"
            deployment.name = "small"
            policy.file = {:?}
            settings.way = "behave"
            [[locations]]
            name = "env.key"
            credential = "key"
            env = "KEY"
            [[consumers]]
            name = "app"
            credentials = ["key"]
            "#,
            fixture::misbehaving().display().to_string()
        ),
    )
    .unwrap();
    let run = sandbox.run(&["policy", "prove"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    // Five states of the variable, for secrets differ by nothing but their class, in five phases.
    assert!(run.stdout.ends_with("proven over 25 states, which are all there are\n"), "{run:?}");
}

#[test]
fn wrong_words_are_refused() {
    let sandbox = misbehaving("behave");
    for (args, says) in [
        (&["--only", "config.nope"][..], "unknown location `config.nope`, expected one of `env."),
        (&["--states", "0"], "no state shows nothing"),
        (&["--states", "many"], "not a number"),
        (&["--all", "--states", "5"], "cannot be used with"),
        (&["--states", "1000000000000"], "5000000 at most"),
        (&["--all"], "more than can be looked at; name the locations that matter with --only"),
    ] {
        let run = sandbox.run(&[&["policy", "prove"], args].concat());
        assert_eq!(run.code, Some(2), "{args:?}: {run:?}");
        assert!(run.stderr.contains(says), "{args:?}: {}", run.stderr);
    }
}

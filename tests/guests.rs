//! Policies that misbehave: each is stopped with a named error, nothing is written, and the next
//! decision is right.
//!
//! | module | what |
//! |---|---|
//! | `hostile` | what only core WebAssembly can do wrong, a file each |
//! | `damaged` | bits that are flipped, bytes that are missing |
//! | `kept` | compiled policies that are not ours |
//! | `limits` | every limit by its key, with values of every size |
//! | `together` | right and hostile policies in one process |

mod damaged;
mod hostile;
mod kept;
mod limits;
mod together;

use std::fs;

use crate::support::{NEW, Sandbox, TOKEN, fixture};

fn run_way(sandbox: &Sandbox, way: &str) -> crate::support::Run {
    let policy = fixture::misbehaving().display().to_string();
    sandbox.run(&["apply", "--policy", &policy, "--set", &format!("way={way}")])
}

/// All grants, so that only the rule in question can stop the policy.
fn generous() -> Sandbox {
    let sandbox = Sandbox::stale_remote();
    let manifest = r#"
        deployment.preset = "openclaw"
        policy.name = "helm"
        [limits]
        deadline-ms = 200
        [grants]
        write = ["env.gateway-token", "config.auth-token", "config.remote-token", "config.auth-password"]
        remove = ["config.remote-token"]
        mint = ["config.remote-token"]
        set-facts = ["gateway.mode"]
    "#;
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
    sandbox
}

#[test]
fn each_limit_has_a_name() {
    let sandbox = generous();
    let before = sandbox.home();
    for (way, says) in [
        ("loop", "the policy hit its deadline limit: no answer within 200 ms"),
        ("memory", "the policy hit its memory limit: "),
        ("recurse", "the policy hit its stack limit: "),
        ("output", "the policy hit its output limit: 1048576 bytes allowed"),
        ("alert-huge", "the policy hit its output limit: 1048576 bytes allowed"),
        ("refuse-about-many", "the policy hit its list limit: 20000 locations in the refusal, "),
        ("many", "the policy hit its output limit: "),
        ("trap", "the policy crashed: "),
    ] {
        let run = run_way(&sandbox, way);
        assert_eq!(run.code, Some(3), "{way}: {run:?}");
        assert!(run.stderr.contains(says), "{way}: {}", run.stderr);
        assert_eq!(sandbox.home(), before, "{way} wrote");
        assert_eq!(run_way(&sandbox, "behave").code, Some(0), "after {way}");
    }
    assert_eq!(sandbox.run(&["apply"]).code, Some(0), "the right policy still repairs");
}

/// What a guest allocates is its own, also where the standard library keeps an allocator besides.
#[test]
fn two_allocators_in_a_guest_keep_out_of_each_other() {
    let run = run_way(&generous(), "two-allocators");
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
fn each_host_rule_has_a_name() {
    let sandbox = generous();
    let stale = sandbox.config_text();
    for (way, rule) in [
        ("unknown-location", "unknown-location"),
        ("unknown-consumer", "unknown-consumer"),
        ("verdict-twice", "verdict-twice"),
        ("verdict-missing", "verdict-missing"),
        ("not-granted", "not-granted"),
        ("other-credential", "other-credential"),
        ("write-environment", "target-read-only"),
        ("source-unusable", "source-unusable"),
        ("target-twice", "target-twice"),
        ("write-from-unknown", "unknown-location"),
        ("verdict-unknown-location", "unknown-location"),
        ("verdict-other-credential", "other-credential"),
        ("finding-unknown-location", "unknown-location"),
        ("restart-unknown", "unknown-consumer"),
        ("remove-not-granted", "not-granted"),
        ("refer-not-granted", "not-granted"),
        ("refer-to-a-file", "reference-unsupported"),
        ("mint-other-credential", "other-credential"),
        ("mint-unknown-credential", "other-credential"),
        ("set-fact-unknown", "not-granted"),
        ("refresh", "unsupported"),
        ("mint", "oscillates"),
    ] {
        let before = sandbox.home();
        let run = run_way(&sandbox, way);
        assert_eq!(run.code, Some(1), "{way}: {run:?}");
        assert!(run.stdout.contains(&format!("  {rule}: ")), "{way}: {}", run.stdout);
        assert_eq!(sandbox.home(), before, "{way} wrote");
        assert_eq!(sandbox.run(&["apply"]).code, Some(0), "the right policy after {way}");
        assert!(sandbox.config_text().contains(NEW), "the right policy after {way}");
        fs::write(sandbox.config(), &stale).unwrap();
    }
}

/// Only what stands there in clear is written anywhere.
#[test]
fn what_is_no_secret_is_no_source() {
    let placeholder = "change-me-to-a-long-random-token";
    for (what, value) in [("absent", None), ("empty", Some("")), ("known", Some(placeholder))] {
        let mut sandbox = generous();
        match value {
            Some(value) => sandbox.set(TOKEN, value),
            None => sandbox.unset(TOKEN),
        }
        let before = sandbox.home();
        let run = run_way(&sandbox, "replace");
        assert_eq!(run.code, Some(1), "{what}: {run:?}");
        assert!(run.stdout.contains("  source-unusable: "), "{what}: {}", run.stdout);
        assert_eq!(sandbox.home(), before, "{what}");
        sandbox.set(TOKEN, NEW);
        assert_eq!(sandbox.run(&["apply"]).code, Some(0), "the right policy after {what}");
        assert!(sandbox.config_text().contains(NEW), "the right policy after {what}");
    }
}

#[test]
fn a_reference_is_replaced_only_by_grant() {
    let sandbox = generous();
    let reference = r#"{"gateway":{"remote":{"token":{"source":"exec","provider":"p","id":"x"}}}}"#;
    fs::write(sandbox.config(), reference).unwrap();
    let run = run_way(&sandbox, "replace");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("reference-replaced"), "{}", run.stdout);
    assert_eq!(sandbox.config_text(), reference);
    let path = sandbox.path("home/precedent.toml");
    let granted =
        fs::read_to_string(&path).unwrap() + "\nreplace-references = [\"config.remote-token\"]";
    fs::write(path, granted).unwrap();
    assert_eq!(run_way(&sandbox, "replace").code, Some(0));
    assert!(sandbox.config_text().contains("canary-new"));
}

#[test]
fn without_a_grant_nothing_is_written() {
    // The grants of the preset are for the shipped policies, not for a file.
    let sandbox = Sandbox::stale_remote();
    let run = run_way(&sandbox, "replace");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stdout.contains("not-granted: write config.remote-token"), "{}", run.stdout);
}

#[test]
fn a_policy_that_swaps_for_ever_is_refused_with_the_trace() {
    let sandbox = generous();
    let config = r#"{"gateway":{"auth":{"token":"canary-a"},"remote":{"token":"canary-b"}}}"#;
    fs::write(sandbox.config(), config).unwrap();
    let run = run_way(&sandbox, "oscillate");
    assert_eq!(run.code, Some(1), "{run:?}");
    let trace = "never done: after config.auth-token -> config.remote-token, config.remote-token -> config.auth-token it wants";
    assert!(run.stdout.contains(trace), "{}", run.stdout);
    assert_eq!(sandbox.config_text(), config);
}

#[test]
fn a_fact_is_no_way_around_the_rules() {
    let sandbox = generous();
    let manifest = fs::read_to_string(sandbox.path("home/precedent.toml")).unwrap();
    // Another type than a plain value, and the place of a credential, are nothing to set.
    fs::write(sandbox.config(), r#"{"gateway":{"mode":{"a":1}}}"#).unwrap();
    let run = run_way(&sandbox, "set-fact");
    assert!(run.stdout.contains("target-read-only: set gateway.mode"), "{}", run.stdout);
    let shared = "[[facts]]\nname = \"gateway.mode\"\ndocument = \"config\"\npointer = \"/gateway/remote/token\"\npresence-only = true\n";
    fs::write(sandbox.path("home/precedent.toml"), format!("{manifest}\n{shared}")).unwrap();
    let reference = r#"{"gateway":{"remote":{"token":{"source":"exec","id":"x"}}}}"#;
    fs::write(sandbox.config(), reference).unwrap();
    let run = run_way(&sandbox, "set-fact");
    assert!(run.stdout.contains("target-read-only: set gateway.mode"), "{}", run.stdout);
    assert_eq!(sandbox.config_text(), reference);
}

#[test]
fn a_granted_fact_is_set() {
    let sandbox = generous();
    fs::write(sandbox.config(), r#"{"gateway":{"mode":"local"}}"#).unwrap();
    assert_eq!(run_way(&sandbox, "set-fact").code, Some(0));
    assert_eq!(sandbox.config_text(), r#"{"gateway":{"mode":"remote"}}"#);
    assert_eq!(run_way(&sandbox, "set-fact").code, Some(0), "and is set no more");
}

#[test]
fn a_refusal_says_why_and_what_to_do() {
    let run = run_way(&generous(), "refuse");
    assert_eq!(run.code, Some(1), "{run:?}");
    for words in ["The policy refuses: no: not today", "come back tomorrow"] {
        assert!(run.stdout.contains(words), "{}", run.stdout);
    }
}

#[test]
fn a_policy_cannot_command_the_terminal() {
    let run = run_way(&generous(), "escape");
    assert!(!run.stdout.contains('\u{1b}') && !run.stdout.contains('\u{7}'), "{:?}", run.stdout);
}

#[test]
fn what_is_no_policy_is_refused_before_it_runs() {
    let sandbox = Sandbox::stale_remote();
    let before_config = sandbox.config_text();
    let wat = |text: &str| wat::parse_str(text).unwrap();
    let built = fs::read(fixture::misbehaving()).unwrap();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "no WebAssembly component"),
        ("text", b"not wasm at all".to_vec(), "no WebAssembly component"),
        ("module", wat("(module)"), "no WebAssembly component"),
        ("component", wat("(component)"), "does not export `precedent:policy/policy@0.1.0`"),
        (
            "importing",
            wat(r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance)))"#),
            "imports `wasi:clocks/wall-clock@0.2.0`",
        ),
        (
            "other version",
            wat(
                r#"(component (component $c) (instance $i (instantiate $c)) (export "precedent:policy/policy@9.0.0" (instance $i)))"#,
            ),
            "it speaks `precedent:policy/policy@9.0.0`",
        ),
        (
            "other shape",
            wat(
                r#"(component (component $c) (instance $i (instantiate $c)) (export "precedent:policy/policy@0.1.0" (instance $i)))"#,
            ),
            "is no policy for this host",
        ),
        ("truncated", built[..built.len() / 2].to_vec(), "no WebAssembly component"),
    ];
    for (name, bytes, says) in cases {
        let path = sandbox.path("home/policy.wasm");
        fs::write(&path, bytes).unwrap();
        let run = sandbox.run(&["apply", "--policy", "./policy.wasm"]);
        assert_eq!(run.code, Some(3), "{name}: {run:?}");
        assert!(run.stderr.contains(says), "{name}: {}", run.stderr);
        assert_eq!(sandbox.config_text(), before_config, "{name}");
    }
    let missing = sandbox.run(&["apply", "--policy", "./missing.wasm"]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
    assert!(missing.stderr.contains("missing.wasm"), "{}", missing.stderr);
}

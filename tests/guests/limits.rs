//! Every limit by its key in the manifest: an error that names it and says by how much, and values of
//! every size.

use std::fs;

use super::{generous, run_way};
use crate::support::{Run, Sandbox};

/// The generous manifest with other limits.
fn with_limits(limits: &str) -> Sandbox {
    let sandbox = generous();
    let path = sandbox.path("home/precedent.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("deadline-ms = 200", limits)).unwrap();
    sandbox
}

fn says(run: &Run, code: i32, words: &str) {
    assert_eq!(run.code, Some(code), "{words}: {run:?}");
    assert!(run.stderr.contains(words), "`{words}` is not in {}", run.stderr);
}

#[test]
fn each_limit_of_the_manifest_is_kept() {
    for (limits, way, words) in [
        ("deadline-ms = 0", "behave", "no answer within 0 ms (limits.deadline-ms)"),
        ("deadline-ms = 50", "loop", "no answer within 50 ms (limits.deadline-ms)"),
        ("fuel = 0", "behave", "the policy hit its fuel limit: 0 units allowed (limits.fuel)"),
        ("fuel = 1000000", "loop", "fuel limit: 1000000 units allowed (limits.fuel)"),
        ("memory-bytes = 0", "behave", " bytes asked for, 0 allowed (limits.memory-bytes)"),
        (
            "memory-bytes = 2000000",
            "memory",
            " bytes asked for, 2000000 allowed (limits.memory-bytes)",
        ),
        ("table-elements = 0", "behave", " elements asked for, 0 allowed (limits.table-elements)"),
        ("instances = 0", "behave", "count too high at 1, 0 allowed (limits.instances)"),
        ("stack-bytes = 1", "behave", "stack limit: 1 bytes allowed (limits.stack-bytes)"),
        ("stack-bytes = 65536", "recurse", "stack limit: 65536 bytes allowed (limits.stack-bytes)"),
        ("stack-bytes = 1048576", "recurse", "1048576 bytes allowed (limits.stack-bytes)"),
        ("output-bytes = 0", "behave", "output limit: 0 bytes allowed (limits.output-bytes)"),
        ("output-bytes = 2000", "output", "output limit: 2000 bytes allowed (limits.output-bytes)"),
        (
            "list-items = 0",
            "behave",
            "list limit: 10 verdicts in the answer, 0 allowed (limits.list-items)",
        ),
        (
            "list-items = 9",
            "behave",
            "list limit: 10 verdicts in the answer, 9 allowed (limits.list-items)",
        ),
        ("component-bytes = 0", "behave", " bytes, 0 are allowed (limits.component-bytes)"),
        ("component-bytes = 1000", "behave", " bytes, 1000 are allowed (limits.component-bytes)"),
        ("compile-ms = 0", "behave", "was not compiled within 0 ms (limits.compile-ms)"),
        ("compile-ms = 1", "behave", "was not compiled within 1 ms (limits.compile-ms)"),
    ] {
        let sandbox = with_limits(limits);
        let before = sandbox.home();
        says(&run_way(&sandbox, way), 3, words);
        assert_eq!(sandbox.home(), before, "{limits} wrote");
    }
}

#[test]
fn a_limit_may_be_as_large_as_a_number_can_be() {
    for key in [
        "deadline-ms",
        "fuel",
        "memory-bytes",
        "table-elements",
        "instances",
        "output-bytes",
        "list-items",
        "component-bytes",
        "compile-ms",
    ] {
        let sandbox = with_limits(&format!("{key} = 9223372036854775807"));
        let run = run_way(&sandbox, "behave");
        assert_eq!(run.code, Some(0), "{key}: {run:?}");
    }
}

#[test]
fn what_is_no_limit_is_an_error_in_the_manifest() {
    for (limits, words) in [
        (
            "stack-bytes = 0",
            "precedent.toml:5:23: a stack of 0 bytes is not possible, 1 to 1048576 are allowed",
        ),
        ("stack-bytes = 1048577", "precedent.toml:5:23: a stack of 1048577 bytes is not possible"),
        ("fuel = -1", "precedent.toml:5:16: invalid value: integer `-1`"),
        ("compile-ms = 1.5", "precedent.toml:5:22: invalid type: floating point"),
        ("memory = 1", "precedent.toml:5:9: unknown field `memory`"),
    ] {
        says(&with_limits(limits).run(&["explain"]), 2, words);
    }
}

/// What was compiled ahead of time does not count, so a build without the compiler cannot either.
#[test]
fn a_build_without_the_compiler_says_that_it_counts_no_fuel() {
    let Some(program) = std::env::var_os("PRECEDENT_INIT") else {
        // `.ci/run` builds it; a plain `cargo test` does not.
        return;
    };
    let mut sandbox = with_limits("fuel = 50000000");
    sandbox.program = program.into();
    let run = sandbox.run(&["explain"]);
    says(&run, 3, "counts no fuel (limits.fuel), and this build of precedent has no compiler");
}

/// Fuel is the same on every machine, so it is the same in every run; and what counts it is other
/// code, which is kept beside the code that does not.
#[test]
fn with_fuel_a_policy_decides_the_same() {
    let sandbox = with_limits("fuel = 50000000");
    let counted = sandbox.run(&["explain"]);
    assert_eq!((counted.code, counted.stderr.as_str()), (Some(0), ""));
    let path = sandbox.path("home/precedent.toml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("fuel = 50000000", "")).unwrap();
    assert_eq!(sandbox.run(&["explain"]).stdout, counted.stdout);
    assert_eq!(fs::read_dir(sandbox.path("cache/compiled")).unwrap().count(), 2);

    let runs_with = |fuel: u32| {
        fs::write(&path, text.replace("fuel = 50000000", &format!("fuel = {fuel}"))).unwrap();
        sandbox.run(&["explain"]).code == Some(0)
    };
    let (mut low, mut high) = (0, 50_000_000);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if runs_with(middle) { high = middle } else { low = middle }
    }
    for _ in 0..3 {
        assert!(
            runs_with(high) && !runs_with(low),
            "{low} is too little and {high} enough, always"
        );
    }
}

//! What OpenClaw's own resolvers were recorded to do, release by release.

use std::path::Path;

use precedent::cases::{self, Read, Runner};

use crate::support::helm;

#[test]
fn the_recorded_rows_come_out_as_recorded() {
    let read = read("precedence-matrix.jsonl", include_str!("corpus/precedence-matrix.jsonl"));
    assert_eq!(read.left_out, []);
    assert_eq!(read.cases.len(), 7_595, "rows times versions");
    all_pass(&read);
}

#[test]
fn the_cases_of_its_own_suites_come_out_as_they_say() {
    let read = read("precedence-cases.json", include_str!("corpus/precedence-cases.json"));
    all_pass(&read);
    assert_eq!(read.cases.len(), 478);
    let left_out: Vec<_> = read
        .left_out
        .iter()
        .map(|left_out| format!("{}: {}", left_out.name, left_out.why))
        .collect();
    assert_eq!(left_out, [""; 0]);
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

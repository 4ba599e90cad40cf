//! docs/testing-policies.md: its case passes, its commands work.

use std::{fs, os::unix::fs::symlink};

use crate::support::{NEW, Sandbox, TOKEN, root};

fn blocks(kind: &str) -> Vec<String> {
    let guide = fs::read_to_string(root().join("docs/testing-policies.md")).unwrap();
    let fence = format!("```{kind}\n");
    let parts = guide.split(&fence).skip(1);
    parts.map(|part| part.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn the_case_that_is_shown_passes() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("home/case.json"), &blocks("json")[0]).unwrap();
    let run = sandbox.run(&["test", "case.json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
}

#[test]
fn the_commands_that_are_shown_work() {
    let sandbox = Sandbox::stale_remote().env(TOKEN, NEW);
    symlink(root().join("policies"), sandbox.path("home/policies")).unwrap();
    let mut count = 0;
    for line in blocks("sh").iter().flat_map(|block| block.lines()) {
        // A sentence is one word.
        let line = line.replace("\"the pod that lost its token\"", "SENTENCE");
        let words: Vec<&str> = line.split(' ').skip(1).collect();
        let run = sandbox.run(&words);
        assert_eq!(run.code, Some(0), "{line}: {run:?}");
        count += 1;
    }
    assert_eq!(count, 6);
}

//! What docs/records.md shows is what comes out.

use std::{fs, process::Command};

use crate::support::{Sandbox, root};

/// Times and digests as words of the same length: they differ from run to run.
fn normal(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-:".contains(c);
    let mut normal = String::new();
    let mut word = String::new();
    for c in text.chars().chain(['\n']) {
        if is_part(c) {
            word.push(c);
            continue;
        }
        let (core, colons) = word.split_at(word.trim_end_matches(':').len());
        let is_time = core.len() == 20 && core.ends_with('Z');
        let is_digest = core.len() == 8 && core.chars().all(|c| c.is_ascii_hexdigit());
        normal.push_str(&if is_time || is_digest {
            "?".repeat(core.len())
        } else {
            core.to_owned()
        });
        normal.push_str(colons);
        normal.push(c);
        word.clear();
    }
    normal
}

/// Whether the shown lines are what came out; a line `...` stands for any number of others.
fn assert_shows(shown: &[&str], told: &str) {
    let (shown, told) = (normal(&shown.join("\n")), normal(told));
    let mut lines = told.lines();
    let mut skipping = false;
    for line in shown.lines().map(str::trim_end) {
        if line == "..." {
            skipping = true;
            continue;
        }
        let is_it = |told: &str| told.trim_end() == line;
        let found = if skipping { lines.any(is_it) } else { lines.next().is_some_and(is_it) };
        assert!(found, "the page shows {line:?}, which does not come next in\n{told}");
        skipping = false;
    }
    let left = lines.find(|line| !line.trim().is_empty()).filter(|_| !skipping);
    assert_eq!(left, None, "the page does not show it all");
}

/// All blocks of the page are one session, in a copy of the README's example.
#[test]
fn the_page_shows_what_comes_out() {
    let sandbox = Sandbox::new().env("OPENCLAW_GATEWAY_TOKEN", "token-of-this-week");
    let example = root().join("examples/pod-restart");
    let parts = [example.join("precedent.toml"), example.join(".openclaw")];
    let copied =
        Command::new("cp").arg("-r").args(parts).arg(sandbox.path("home")).status().unwrap();
    assert!(copied.success());
    let page = fs::read_to_string(root().join("docs/records.md")).unwrap();
    let blocks: Vec<&str> =
        page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let session = blocks.concat();
    let mut commands = 0;
    let mut last = None;
    for part in session.split("$ ").skip(1) {
        let mut lines: Vec<&str> = part.lines().collect();
        let command = lines.remove(0);
        if command == "echo $?" {
            assert_eq!(last.map(|code: i32| code.to_string()).as_deref(), lines.first().copied());
            continue;
        }
        let words: Vec<&str> = command.strip_prefix("precedent ").unwrap().split(' ').collect();
        let run = sandbox.run(&words);
        assert_eq!(run.stderr, "", "{command}");
        assert_shows(&lines, &run.stdout);
        last = run.code;
        commands += 1;
    }
    assert!(commands >= 8, "{commands}");
}

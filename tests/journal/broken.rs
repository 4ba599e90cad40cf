//! Journals that are not as they should be: what is wrong is told, and the rest is read.

use std::{
    fs,
    io::Write,
    os::unix::fs::symlink,
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{five_runs, journal, numbers};
use crate::support::{Sandbox, tools};

fn write(sandbox: &Sandbox, text: &[u8]) {
    fs::write(sandbox.path("state/journal-openclaw.jsonl"), text).unwrap();
}

#[test]
fn a_line_that_is_cut_short_costs_itself_alone() {
    let sandbox = five_runs();
    let whole = journal(&sandbox);
    let at = whole.trim_end().rfind('\n').unwrap() + 1;
    let half = at + (whole.len() - at) / 2;
    write(&sandbox, &whole.as_bytes()[..half]);
    let run = sandbox.run(&["log"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("journal-openclaw.jsonl:5: it is cut short"), "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 5, "{}", run.stdout);
    // The next run begins a line of its own.
    sandbox.run(&["check"]);
    let (code, document) = sandbox.json(&["log"]);
    assert_eq!((code, numbers(&document)), (Some(0), vec![1, 2, 3, 4, 6]));
    assert_eq!(document["broken"][0]["line"], 5);
    // One that has lost its end alone is whole.
    write(&sandbox, whole.trim_end().as_bytes());
    let run = sandbox.run(&["log"]);
    assert_eq!((run.stderr.as_str(), run.stdout.lines().count()), ("", 6));
    sandbox.run(&["check"]);
    assert_eq!(numbers(&sandbox.json(&["log"]).1), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn what_is_no_record_is_named_and_left_out() {
    let sandbox = five_runs();
    let whole = journal(&sandbox);
    let lines: Vec<&str> = whole.lines().collect();
    let with = |replaced: &str| -> Value { serde_json::from_str(replaced).unwrap() };
    let mut newer = with(lines[0]);
    newer["schema"] = "precedent.record/2".into();
    let mut other = with(lines[0]);
    other["schema"] = "canary-schema".into();
    let mut wrong = with(lines[0]);
    wrong["at"] = "canary-time".into();
    let mut variant = with(lines[0]);
    variant["phase"] = "canary-phase".into();
    let cases: [(Vec<u8>, &str); 9] = [
        (b"canary-garbage".to_vec(), "no JSON object"),
        (b"{\"token\": \"canary-x".to_vec(), "it is no JSON (column"),
        (
            b"{\"gateway\": {\"token\": \"canary-x\"}}".to_vec(),
            "no record that this version can read",
        ),
        (vec![0xff, 0xfe, 0x00], "no JSON object"),
        (newer.to_string().into(), "its schema is precedent.record/2, and this version reads"),
        (other.to_string().into(), "its schema is not precedent.record/1"),
        (wrong.to_string().into(), "no record that this version can read"),
        (variant.to_string().into(), "no record that this version can read"),
        ([b"{", "x".repeat(33 << 20).as_bytes()].concat(), "more than 32 MiB"),
    ];
    for (line, says) in cases {
        let text = [lines[0].as_bytes(), &line, lines[3].as_bytes(), b"\n"].join(&b'\n');
        // Not where runs keep theirs: somebody may have named a file full of secrets, of which nothing
        // may be said.
        fs::write(sandbox.path("home/named.jsonl"), text).unwrap();
        let run = sandbox.run(&["log", "--journal", "named.jsonl"]);
        assert_eq!(run.code, Some(0), "{says}: {run:?}");
        assert!(run.stderr.contains("warning: named.jsonl:2: "), "{says}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{says}: {}", run.stderr);
        let (_, document) = sandbox.json(&["log", "--journal", "named.jsonl"]);
        assert_eq!(numbers(&document), [1, 3], "{says}");
        // What was not read may hold a flip, so it is no success unless somebody says so.
        let replay = ["replay", "--policy", "helm", "--journal", "named.jsonl"];
        let run = sandbox.run(&replay);
        assert_eq!(run.code, Some(3), "{says}: {run:?}");
        assert!(run.stderr.contains("--skip-broken lets them pass"), "{says}: {}", run.stderr);
        let run = sandbox.run(&[&replay[..], &["--skip-broken"]].concat());
        assert_eq!(run.code, Some(0), "{says}: {run:?}");
    }
}

#[test]
fn fields_of_another_version_are_named_once_and_left_out() {
    let sandbox = five_runs();
    let mut text = String::new();
    for line in journal(&sandbox).lines() {
        let mut record: Value = serde_json::from_str(line).unwrap();
        record["colour"] = "blue".into();
        let locations = record.pointer_mut("/snapshot/locations").and_then(Value::as_array_mut);
        locations.into_iter().flatten().for_each(|location| location["moon"] = true.into());
        text.push_str(&format!("{record}\n"));
    }
    write(&sandbox, text.as_bytes());
    let run = sandbox.run(&["log"]);
    assert_eq!((run.code, run.stdout.lines().count()), (Some(0), 6), "{run:?}");
    let expected =
        "warning: fields of another version are left out: colour, snapshot.locations.moon\n";
    assert_eq!(run.stderr, expected);
    assert_eq!(sandbox.run(&["replay", "--policy", "helm"]).code, Some(0));
}

/// Something else in the journal's place: nothing hangs, and it is named.
#[test]
fn what_is_no_file_is_no_journal() {
    type Make = fn(&std::path::Path);
    let kinds: [(&str, Make); 5] = [
        ("fifo", |path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("folder", |path| fs::create_dir(path).unwrap()),
        ("device", |path| symlink("/dev/zero", path).unwrap()),
        ("loop", |path| symlink(path, path).unwrap()),
        ("link", |path| {
            let other = path.with_extension("other");
            fs::write(&other, "").unwrap();
            symlink(other, path).unwrap();
        }),
    ];
    for (kind, make) in kinds {
        let sandbox = five_runs();
        let path = sandbox.path("state/journal-openclaw.jsonl");
        fs::remove_file(&path).unwrap();
        make(&path);
        for args in [vec!["log"], vec!["log", "1"], vec!["replay", "--policy", "helm"]] {
            let began = Instant::now();
            let run = sandbox.run(&args);
            assert_eq!(run.code, Some(3), "{kind}: {run:?}");
            assert!(run.stderr.contains("journal-openclaw.jsonl"), "{kind}: {}", run.stderr);
            assert!(began.elapsed() < Duration::from_secs(20), "{kind}");
        }
        // A run goes on without.
        assert!(sandbox.run(&["check"]).stderr.contains("warning: no journal"), "{kind}");
    }
    let sandbox = Sandbox::new();
    for (file, code) in [("nowhere.jsonl", 3), ("/dev/zero", 3), (".", 3)] {
        let run = sandbox.run(&["log", "--journal", file]);
        assert_eq!(run.code, Some(code), "{file}: {run:?}");
        assert!(run.stderr.contains(file), "{file}: {}", run.stderr);
    }
}

/// Nobody else's journal is written to or believed; one that is named is read, whosever it is.
#[test]
fn another_users_journal_is_not_ours() {
    if !rustix::process::geteuid().is_root() {
        return tools::skip("only root can give files away");
    }
    let sandbox = five_runs();
    let path = sandbox.path("state/journal-openclaw.jsonl");
    std::os::unix::fs::chown(&path, Some(1234), Some(1234)).unwrap();
    let before = journal(&sandbox);
    let run = sandbox.run(&["check"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stderr.contains("no journal") && run.stderr.contains("another user (1234"),
        "{run:?}"
    );
    assert_eq!(journal(&sandbox), before);
    let run = sandbox.run(&["log"]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("another user (1234"), "{}", run.stderr);
    let path = path.to_str().unwrap();
    assert_eq!(numbers(&sandbox.json(&["log", "--journal", path]).1), [1, 2, 3, 4, 5]);
}

/// Several files are one journal, in the order in which they are named.
#[test]
fn a_journal_is_read_from_somewhere_else() {
    let sandbox = five_runs();
    let text = journal(&sandbox);
    let at = text.match_indices('\n').nth(1).unwrap().0 + 1;
    let other = Sandbox::new();
    fs::write(other.path("home/old.jsonl"), &text[..at]).unwrap();
    let mut new = fs::File::create(other.path("home/new.jsonl")).unwrap();
    new.write_all(&text.as_bytes()[at..]).unwrap();
    let named = ["--journal", "old.jsonl", "--journal", "new.jsonl"];
    let (code, document) = other.json(&[&["log"][..], &named[..]].concat());
    assert_eq!((code, numbers(&document)), (Some(0), vec![1, 2, 3, 4, 5]));
    let run = other.run(&[&["replay", "--policy", "helm"][..], &named[..]].concat());
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.starts_with("4 records through policy helm"), "{}", run.stdout);
}

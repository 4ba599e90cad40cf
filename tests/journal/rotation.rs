//! What is put aside and what goes: no record is lost before its time, and the bound holds.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
};

use precedent::{
    model::Phase,
    record::{Journal, Record, Room, StateFolder},
};

use super::numbers;
use crate::support::Sandbox;

fn with_room(sandbox: &Sandbox, bytes: u64, files: u64) {
    let manifest = format!(
        "deployment.preset = \"openclaw\"\npolicy.name = \"helm\"\n[journal]\nbytes = {bytes}\nfiles = {files}\n"
    );
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
}

/// The journal's files with their sizes.
fn files(state: &Path) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(state).unwrap().map(|entry| entry.unwrap());
    let is_journal = |name: &str| name.starts_with("journal-") && name.ends_with(".jsonl");
    let mut files: Vec<_> = entries
        .filter(|entry| is_journal(&entry.file_name().to_string_lossy()))
        .map(|entry| (entry.path(), entry.metadata().unwrap().len()))
        .collect();
    files.sort();
    files
}

fn size(state: &Path) -> u64 {
    files(state).iter().map(|(_, bytes)| bytes).sum()
}

#[test]
fn the_bound_holds_and_the_newest_stay() {
    let sandbox = Sandbox::stale_remote();
    with_room(&sandbox, 65_536, 3);
    let state = sandbox.path("state");
    for _ in 0..12 {
        assert_eq!(sandbox.run(&["explain"]).code, Some(0));
        assert!(size(&state) <= 65_536, "{:?}", files(&state));
        assert!(files(&state).len() <= 3, "{:?}", files(&state));
    }
    for (path, _) in files(&state) {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let kept = numbers(&sandbox.json(&["log"]).1);
    assert_eq!(kept.last(), Some(&12), "a record keeps its number: {kept:?}");
    assert!(
        kept.len() >= 3 && kept.array_windows().all(|[one, next]| one + 1 == *next),
        "{kept:?}"
    );
    assert_eq!(sandbox.run(&["log", "12"]).code, Some(0));
    assert!(sandbox.run(&["log", "1"]).stderr.contains("there is no record 1; the last is 12"));
    assert_eq!(sandbox.run(&["replay"]).code, Some(0));
    // A smaller one holds at once.
    with_room(&sandbox, 65_536, 2);
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    assert!(files(&state).len() <= 2 && size(&state) <= 65_536, "{:?}", files(&state));
    assert_eq!(numbers(&sandbox.json(&["log"]).1).last(), Some(&13));
}

/// Many at once put files aside under one another's hands.
#[test]
fn no_record_of_many_runs_at_once_is_lost() {
    const RUNS: u64 = 24;
    let sandbox = Sandbox::stale_remote();
    with_room(&sandbox, 1 << 20, 32);
    sandbox.run(&["explain"]);
    thread::scope(|scope| {
        for _ in 0..RUNS {
            scope.spawn(|| assert_eq!(sandbox.run(&["explain"]).code, Some(0)));
        }
    });
    let state = sandbox.path("state");
    assert!(files(&state).len() > 5, "{:?}", files(&state));
    let run = sandbox.run(&["log", "--format", "json"]);
    assert_eq!(run.stderr, "", "every line is whole");
    let document = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(numbers(&document), (1..=RUNS + 1).collect::<Vec<_>>());
}

/// The same through the library, with records of every size and hundreds of files.
#[test]
fn no_record_of_many_threads_is_lost() {
    const EACH: u64 = 150;
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::new(folder.path().join("state"));
    let room = Room { bytes: 4 << 20, files: 50 };
    thread::scope(|scope| {
        for writer in 0..8 {
            let state = &state;
            scope.spawn(move || {
                for count in 0..EACH {
                    let verb = format!("{writer}-{count}");
                    let mut record = Record::begun(count, &verb, "any", Phase::Check);
                    record.error = Some("x".repeat((count * 37 % 2000) as usize));
                    state.append(&record, room).unwrap();
                    // Who reads in between sees whole records in order.
                    if count % 40 == 0 {
                        let all = Journal::of(state, "any").unwrap();
                        all.for_each(|record| assert!(record.is_ok(), "{record:?}"));
                    }
                }
            });
        }
    });
    let all: Vec<_> = Journal::of(&state, "any").unwrap().map(Result::unwrap).collect();
    let numbers: Vec<u64> = all.iter().map(|record| record.number).collect();
    assert_eq!(numbers, (1..=8 * EACH).collect::<Vec<_>>());
    for writer in 0..8 {
        let prefix = format!("{writer}-");
        let of_one: Vec<u64> =
            all.iter().filter(|r| r.verb.starts_with(&prefix)).map(|r| r.at).collect();
        assert_eq!(of_one, (0..EACH).collect::<Vec<_>>(), "{writer}");
    }
    assert!(files(state.path()).len() > 5);
}

#[test]
fn a_record_is_kept_whole_or_told() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::new(folder.path().join("state"));
    let room = Room { bytes: 100_000, files: 4 };
    let append = |bytes: usize| {
        let mut record = Record::begun(1, "test", "any", Phase::Check);
        record.error = Some("x".repeat(bytes));
        state.append(&record, room)
    };
    for bytes in [1000, 24_000, 60_000, 90_000, 10, 99_000, 20_000, 20_000, 20_000, 20_000, 50_000]
    {
        append(bytes).unwrap();
        assert!(size(state.path()) <= room.bytes, "{:?}", files(state.path()));
        let last = Journal::of(&state, "any").unwrap().last().unwrap().unwrap();
        assert_eq!(last.error.map(|text| text.len()), Some(bytes));
    }
    let before = files(state.path());
    let error = append(100_000).unwrap_err().to_string();
    assert!(error.contains("100000 are allowed (journal.bytes)"), "{error}");
    assert_eq!(files(state.path()), before);
}

/// What has such a name and is none of ours is neither read, nor counted, nor removed.
#[test]
fn what_lies_beside_the_journal_stays() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::new(folder.path().join("state"));
    let room = Room { bytes: 65_536, files: 2 };
    let precious = folder.path().join("precious");
    fs::write(&precious, "x").unwrap();
    fs::create_dir(state.path()).unwrap();
    std::os::unix::fs::symlink(&precious, state.path().join("journal-any@00000001.jsonl")).unwrap();
    let others = [
        "journal-any@one.jsonl",
        "journal-anyone.jsonl",
        "journal-anyone@00000009.jsonl",
        "journal-any@7.txt",
    ];
    for name in others {
        fs::write(state.path().join(name), "theirs").unwrap();
    }
    fs::create_dir(state.path().join("journal-any@00000002.jsonl")).unwrap();
    for count in 0..20 {
        let mut record = Record::begun(count, "test", "any", Phase::Check);
        record.error = Some("x".repeat(15_000));
        state.append(&record, room).unwrap();
    }
    assert_eq!(fs::read_to_string(&precious).unwrap(), "x");
    for name in others {
        assert_eq!(fs::read_to_string(state.path().join(name)).unwrap(), "theirs", "{name}");
    }
    let all: Vec<u64> =
        Journal::of(&state, "any").unwrap().map(|record| record.unwrap().number).collect();
    assert_eq!(all.last(), Some(&20), "{all:?}");
}

/// A run that was killed after it put the journal aside has left no new one yet.
#[test]
fn a_journal_that_was_put_aside_and_not_begun_anew_goes_on() {
    let sandbox = super::five_runs();
    let state = sandbox.path("state");
    fs::rename(state.join("journal-openclaw.jsonl"), state.join("journal-openclaw@00000105.jsonl"))
        .unwrap();
    assert_eq!(numbers(&sandbox.json(&["log"]).1), [101, 102, 103, 104, 105]);
    sandbox.run(&["check"]);
    assert_eq!(numbers(&sandbox.json(&["log"]).1), [101, 102, 103, 104, 105, 106]);
}

#[test]
fn a_room_that_is_none_is_an_error_that_points() {
    let sandbox = Sandbox::stale_remote();
    let cases = [
        ("bytes = 0", "a journal of 0 bytes is not possible, 65536 to 1099511627776 are allowed"),
        ("bytes = 65535", "a journal of 65535 bytes is not possible"),
        ("bytes = 9223372036854775807", "9223372036854775807 bytes is not possible"),
        ("bytes = -1", "invalid value"),
        ("files = 0", "a journal of 0 files is not possible, 2 to 100 are allowed"),
        ("files = 101", "a journal of 101 files is not possible"),
        ("runs = 3", "expected `bytes` or `files`"),
    ];
    for (line, says) in cases {
        let manifest = format!(
            "deployment.preset = \"openclaw\"\npolicy.name = \"helm\"\n[journal]\n{line}\n"
        );
        fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
        let run = sandbox.run(&["explain"]);
        assert_eq!(run.code, Some(2), "{line}: {run:?}");
        assert!(run.stderr.contains("precedent.toml:4:"), "{line}: {}", run.stderr);
        assert!(run.stderr.contains(says), "{line}: {}", run.stderr);
    }
}

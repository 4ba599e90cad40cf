//! Runs that were killed, and what the next one makes of them.

use std::fs;

use serde_json::{Value, json};

use super::{set_old, token};
use crate::support::{Sandbox, TOKEN};

#[test]
fn a_run_that_was_interrupted_is_shown_and_mended() {
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw/000001");
    // As if it had been killed after the first of two files.
    fs::rename(folder.join("done.json"), folder.join("intent.json")).unwrap();
    set_old(&sandbox);
    let run = sandbox.run(&["check"]);
    assert!(
        run.stdout.contains("run-interrupted: run 000001 (apply) began at 20"),
        "{}",
        run.stdout
    );
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stderr.contains("run 000001 was interrupted: what it had changed is put back"),
        "{}",
        run.stderr
    );
    assert_eq!(token(&sandbox), "canary-new\n");
    let journal = fs::read_to_string(sandbox.path("state/journal-openclaw.jsonl")).unwrap();
    let recovered = journal.lines().any(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        record["recovery"]
            == json!({"run": 1, "at": record["recovery"]["at"], "state": "undone", "left": []})
    });
    assert!(recovered, "{journal}");
    assert!(!sandbox.run(&["check"]).stdout.contains("run-interrupted"));
    // Somebody wrote since: theirs stays.
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw/000001");
    fs::rename(folder.join("done.json"), folder.join("intent.json")).unwrap();
    fs::write(sandbox.path("home/token"), "canary-theirs\n").unwrap();
    let run = sandbox.run(&["apply"]);
    assert!(
        run.stderr.contains("token was written by somebody else since, and is left"),
        "{}",
        run.stderr
    );
    // What cannot be read may have been anything: nothing is written.
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw/000001");
    fs::remove_file(folder.join("done.json")).unwrap();
    fs::write(folder.join("intent.json"), "{").unwrap();
    set_old(&sandbox);
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(3), before), "{run:?}");
    assert!(
        run.stderr.contains("run 000001 was interrupted and cannot be mended"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains(&format!("then remove {}", folder.display())), "{}", run.stderr);
}

/// A run whose last file is changed has changed them all, whatever others did since; and a file that
/// cannot be read now is nobody's change.
#[test]
fn a_run_that_was_whole_is_not_undone() {
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw/000001");
    fs::rename(folder.join("done.json"), folder.join("intent.json")).unwrap();
    // The gateway writes its own file, as it does.
    let theirs = sandbox.config_text().replace("local", "remote");
    fs::write(sandbox.config(), &theirs).unwrap();
    let run = sandbox.run(&["apply"]);
    assert!(run.stderr.contains("all of it was there already"), "{}", run.stderr);
    assert_eq!((token(&sandbox).as_str(), sandbox.config_text()), ("canary-new\n", theirs));
    // A volume that is not there yet.
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw/000001");
    fs::rename(folder.join("done.json"), folder.join("intent.json")).unwrap();
    set_old(&sandbox);
    fs::rename(sandbox.path("home/.openclaw"), sandbox.path("home/later")).unwrap();
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("openclaw.json cannot be read"), "{}", run.stderr);
    assert!(folder.join("0.old").exists());
    fs::rename(sandbox.path("home/later"), sandbox.path("home/.openclaw")).unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
}

/// What is put back is put back, whatever is decided afterwards: here, nothing.
#[test]
fn what_a_part_of_a_run_changed_is_as_it_was() {
    let mut sandbox = Sandbox::two_files();
    let before = sandbox.home();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw/000001");
    fs::rename(folder.join("done.json"), folder.join("intent.json")).unwrap();
    set_old(&sandbox);
    sandbox.unset(TOKEN);
    let run = sandbox.run(&["apply"]);
    assert!(run.stderr.contains("what it had changed is put back"), "{run:?}");
    let config = sandbox.config();
    assert_eq!(sandbox.home()[&config], before[&config], "its bytes and its mode");
    assert_eq!(token(&sandbox), "canary-old\n");
}

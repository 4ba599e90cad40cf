//! What runs keep and take turns with: backups, `precedent rollback`, the deployment's lock, the
//! gateway's own lock, `mode = "audit"`, and the memory of the process.

mod memory;
mod others;
mod recovery;
mod turns;

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use serde_json::{Value, json};

use crate::support::{NEW, OLD, Sandbox, tools};

fn token(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("home/token")).unwrap()
}

fn set_old(sandbox: &Sandbox) {
    fs::write(sandbox.path("home/token"), "canary-old\n").unwrap();
}

#[test]
fn a_run_is_taken_back_and_that_too() {
    let sandbox = Sandbox::two_files();
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert!(
        run.stdout.contains("to put it back as it was: precedent rollback 000001"),
        "{}",
        run.stdout
    );
    let after = sandbox.home();
    let dry = sandbox.run(&["rollback", "--dry-run"]);
    assert!(dry.stdout.contains("would be put back") && sandbox.home() == after, "{}", dry.stdout);
    let run = sandbox.run(&["rollback"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("✓ put back"), "{}", run.stdout);
    for (path, (bytes, _)) in &before {
        assert_eq!(&sandbox.home()[path].0, bytes, "{}", path.display());
    }
    // What came back is a secret, so the mode that kept it from others stays.
    let mode = fs::metadata(sandbox.config()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let run = sandbox.run(&["rollback", "2"]);
    assert_eq!((run.code, sandbox.home()), (Some(0), after), "{run:?}");
    let (code, list) = sandbox.json(&["rollback", "--list"]);
    let states: Vec<&Value> =
        list["runs"].as_array().unwrap().iter().map(|run| &run["state"]).collect();
    assert_eq!(code, Some(0));
    assert_eq!(states, ["rolled-back", "rolled-back", "done"], "{list}");
    assert_eq!(list["schema"], "precedent.runs/1");
    let shown = sandbox.run(&["rollback", "--list"]);
    assert!(shown.stdout.contains("rollback of 000001"), "{}", shown.stdout);
}

#[test]
fn what_has_changed_since_is_not_taken_back() {
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    fs::write(sandbox.path("home/token"), "canary-theirs\n").unwrap();
    let before = sandbox.home();
    let run = sandbox.run(&["rollback"]);
    assert_eq!((run.code, sandbox.home()), (Some(3), before), "{run:?}");
    assert!(run.stderr.contains("token changed since"), "{}", run.stderr);
    assert_eq!(sandbox.run(&["rollback", "--list"]).code, Some(0));
}

#[test]
fn there_is_nothing_to_take_back_says_why() {
    let sandbox = Sandbox::two_files();
    for (args, says) in [
        (vec!["rollback"], "no run is kept that could be rolled back"),
        (vec!["rollback", "7"], "no run 000007 is kept; `precedent rollback --list`"),
        (vec!["rollback", "seven"], "invalid digit"),
    ] {
        let run = sandbox.run(&args);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    let run = sandbox.run(&["rollback", "--list"]);
    assert!(run.stdout.contains("no run has changed anything"), "{}", run.stdout);
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(sandbox.run(&["rollback", "1"]).code, Some(0));
    let run = sandbox.run(&["rollback", "1"]);
    assert!(run.stderr.contains("rolled back already"), "{}", run.stderr);
}

#[test]
fn a_backup_opens_for_its_own_file_alone() {
    let folder = |sandbox: &Sandbox| sandbox.path("state/runs-openclaw/000001");
    type Spoil = fn(&std::path::Path);
    let spoil: [(&str, Spoil); 4] = [
        ("a bit", |run| {
            let mut bytes = fs::read(run.join("0.old")).unwrap();
            bytes[40] ^= 1;
            fs::write(run.join("0.old"), bytes).unwrap();
        }),
        ("another's", |run| assert!(fs::copy(run.join("1.old"), run.join("0.old")).is_ok())),
        ("gone", |run| fs::remove_file(run.join("0.old")).unwrap()),
        ("another target", |run| {
            let text = fs::read_to_string(run.join("done.json")).unwrap();
            let other = text.replace("/home/token\"", "/home/precedent.toml\"");
            assert_ne!(text, other);
            let text = other;
            fs::write(run.join("done.json"), text).unwrap();
        }),
    ];
    for (how, spoil) in spoil {
        let sandbox = Sandbox::two_files();
        assert_eq!(sandbox.run(&["apply"]).code, Some(0));
        spoil(&folder(&sandbox));
        let before = sandbox.home();
        let run = sandbox.run(&["rollback", "1"]);
        assert_eq!((run.code, sandbox.home()), (Some(3), before), "{how}: {run:?}");
    }
    // The key that opens it is gone.
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    fs::remove_file(sandbox.path("state/key")).unwrap();
    let before = sandbox.home();
    let run = sandbox.run(&["rollback"]);
    assert_eq!((run.code, sandbox.home()), (Some(3), before), "{run:?}");
}

#[test]
fn backups_are_few_and_nobody_elses() {
    let sandbox = Sandbox::two_files();
    let manifest = fs::read_to_string(sandbox.path("home/precedent.toml")).unwrap();
    let keep = |sandbox: &Sandbox, table: &str| {
        fs::write(sandbox.path("home/precedent.toml"), format!("{manifest}\n[backups]\n{table}\n"))
            .unwrap();
    };
    keep(&sandbox, "runs = 3");
    for _ in 0..6 {
        set_old(&sandbox);
        assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    }
    let runs = |sandbox: &Sandbox| -> Vec<u64> {
        let (_, list) = sandbox.json(&["rollback", "--list"]);
        list["runs"].as_array().unwrap().iter().map(|run| run["run"].as_u64().unwrap()).collect()
    };
    assert_eq!(runs(&sandbox), [4, 5, 6]);
    for (path, bytes, mode) in sandbox.kept() {
        let is_ours = path.starts_with(sandbox.path("state"));
        assert!(!is_ours || mode & 0o077 == 0, "{} has mode {mode:o}", path.display());
        assert!(!bytes.windows(6).any(|window| window == b"canary"), "{}", path.display());
    }
    // The clock goes back: what was made in the future is not old, and the order stays.
    let done = |run: u64| sandbox.path(&format!("state/runs-openclaw/{run:06}/done.json"));
    let set_at = |run: u64, at: u64| {
        let mut text: Value = serde_json::from_slice(&fs::read(done(run)).unwrap()).unwrap();
        text["at"] = json!(at);
        fs::write(done(run), text.to_string()).unwrap();
    };
    set_at(5, 4_000_000_000);
    set_at(6, 4_100_000_000);
    set_old(&sandbox);
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(runs(&sandbox), [5, 6, 7], "the newest by number, whatever the clock says");
    assert_eq!(sandbox.run(&["rollback"]).code, Some(0), "the last one");
    assert_eq!(token(&sandbox), "canary-old\n");
    // What is older than is kept goes, however few they are.
    set_at(6, 1000);
    keep(&sandbox, "runs = 100\ndays = 30");
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(!runs(&sandbox).contains(&6), "{:?}", runs(&sandbox));
    // Nothing at all is kept, and no number is given twice.
    keep(&sandbox, "runs = 0");
    set_old(&sandbox);
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let kept = sandbox.kept();
    assert!(!kept.iter().any(|(path, ..)| path.extension().is_some_and(|end| end == "old")));
    let last = runs(&sandbox);
    set_old(&sandbox);
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(runs(&sandbox) > last, "{:?} after {last:?}", runs(&sandbox));
    assert_eq!(sandbox.run(&["rollback"]).code, Some(3), "there is nothing to go back to");
}

#[test]
fn attributes_and_access_lists_stay() {
    let (Some(setfacl), Some(getfacl)) = (tools::program("setfacl"), tools::program("getfacl"))
    else {
        return;
    };
    let sandbox = Sandbox::stale_remote();
    let config = sandbox.config();
    // A folder that hands down a list to what is made in it.
    let run = |program: &std::path::Path, args: &[&str], path: &std::path::Path| {
        let output = Command::new(program).args(args).arg(path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let list = || run(&getfacl, &["-cpE"], &config);
    run(&setfacl, &["-m", "d:u:1234:rw"], config.parent().unwrap());
    fs::set_permissions(&config, fs::Permissions::from_mode(0o640)).unwrap();
    let before = list();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(
        !before.contains("1234") && !list().contains("1234"),
        "nothing is handed down: {}",
        list()
    );
    // One of its own: who is named stays, everybody goes.
    fs::write(&config, format!(r#"{{"gateway":{{"remote":{{"token":"{OLD}"}}}}}}"#)).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    run(&setfacl, &["-m", "u:4321:r"], &config);
    xattr::set(&config, "user.mine", b"kept").unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(sandbox.config_text().contains(NEW));
    assert_eq!(list(), "user::rw-\nuser:4321:r--\ngroup::---\nmask::r--\nother::---\n\n");
    assert_eq!(xattr::get(&config, "user.mine").unwrap().as_deref(), Some(&b"kept"[..]));
}

#[test]
fn runs_that_fail_take_no_backups_place() {
    let Some(strace) = tools::program("strace") else { return };
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let strace = strace.to_str().unwrap();
    let inject = "inject=renameat2:error=EPERM:when=2";
    let strace = [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", inject];
    for _ in 0..12 {
        set_old(&sandbox);
        fs::write(
            sandbox.config(),
            r#"{"gateway":{"mode":"local","remote":{"token":"canary-old"}}}"#,
        )
        .unwrap();
        let output = sandbox.command_under(&strace).arg("apply").output().unwrap();
        sandbox.hear(&output);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
    }
    assert!(sandbox.path("state/runs-openclaw/000001/0.old").exists());
    assert!(fs::read_dir(sandbox.path("state/runs-openclaw")).unwrap().count() < 5);
}

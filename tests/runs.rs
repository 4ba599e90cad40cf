//! What runs keep and take turns with: backups, `precedent rollback`, the deployment's lock, the
//! gateway's own lock, `mode = "audit"`, and the memory of the process.

mod memory;

use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

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
fn one_run_at_a_time() {
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw");
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::File::create(folder.join("lock")).unwrap();
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() - 75;
    let says = json!({"pid": 4711, "verb": "apply", "since": since});
    (&lock).write_all(says.to_string().as_bytes()).unwrap();
    lock.lock().unwrap();
    let before = sandbox.home();
    for verb in [vec!["apply"], vec!["rotate"]] {
        let run = sandbox.run(&[verb, vec!["--wait", "0"]].concat());
        assert_eq!((run.code, sandbox.home()), (Some(3), before.clone()), "{run:?}");
        let says = "another run has the deployment: `apply`, process 4711, for 1m 1";
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    // Who only looks does not wait.
    for verb in ["explain", "plan", "check"] {
        assert!(matches!(sandbox.run(&[verb]).code, Some(0 | 4)), "{verb}");
    }
    assert_eq!(sandbox.run(&["apply", "--dry-run"]).code, Some(0));
    // Who waits goes on when the other one ends.
    let waiting = sandbox
        .command()
        .args(["apply"])
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(1500));
    drop(lock);
    let output = waiting.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("waiting: another run"), "{output:?}");
    assert_eq!(token(&sandbox), "canary-new\n");
}

/// OpenClaw's own lock: while a gateway that lives has it, nothing is written; one that is gone has
/// none; and what is left of ours is what it takes for gone.
#[test]
fn the_gateways_lock_is_waited_for() {
    let sandbox = Sandbox::stale_remote();
    let lock = sandbox.path("home/.openclaw/openclaw.json.lock");
    let me = std::process::id();
    let stat = fs::read_to_string(format!("/proc/{me}/stat")).unwrap();
    let started: u64 =
        stat.rsplit_once(')').unwrap().1.split_whitespace().nth(19).unwrap().parse().unwrap();
    let says = json!({"pid": me, "createdAt": "2026-11-20T12:00:00.000Z", "starttime": started});
    fs::write(&lock, serde_json::to_string_pretty(&says).unwrap()).unwrap();
    let before = sandbox.config_text();
    let began = Instant::now();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.config_text()), (Some(3), before), "{run:?}");
    assert!(began.elapsed() > Duration::from_secs(5), "it waits");
    assert!(
        run.stderr.contains(&format!("openclaw.json.lock is locked by process {me}")),
        "{}",
        run.stderr
    );
    assert!(lock.exists(), "it is not ours to remove");
    // Released meanwhile.
    let waiting = sandbox
        .command()
        .args(["apply", "--policy", "helm"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    thread::sleep(Duration::from_millis(700));
    fs::remove_file(&lock).unwrap();
    assert!(waiting.wait_with_output().unwrap().status.success());
    assert!(sandbox.config_text().contains(NEW) && !lock.exists());
    // Its owner is gone: another process has its number, or none.
    for says in
        [json!({"pid": me, "starttime": 1}), json!({"pid": 2_000_000_000, "createdAt": "x"})]
    {
        let sandbox = Sandbox::stale_remote();
        let lock = sandbox.path("home/.openclaw/openclaw.json.lock");
        fs::write(&lock, says.to_string()).unwrap();
        assert_eq!(sandbox.run(&["apply"]).code, Some(0));
        assert!(!lock.exists());
    }
    // Where no gateway makes locks, nobody waits for one.
    let sandbox = Sandbox::two_files();
    fs::write(sandbox.path("home/token.lock"), "theirs").unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(sandbox.path("home/token.lock").exists());
}

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

#[test]
fn an_audited_deployment_is_told_of_and_never_changed() {
    let sandbox = Sandbox::two_files();
    let manifest = fs::read_to_string(sandbox.path("home/precedent.toml")).unwrap();
    let audited =
        manifest.replace("preset = \"openclaw\"", "preset = \"openclaw\", mode = \"audit\"");
    fs::write(sandbox.path("home/precedent.toml"), &audited).unwrap();
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(0), before.clone()), "{run:?}");
    assert!(
        run.stdout.contains("Audit: nothing is written, and a start goes on."),
        "{}",
        run.stdout
    );
    let (_, document) = sandbox.json(&["apply"]);
    assert_eq!(document["outcome"][0]["status"], "unchanged", "{document}");
    assert_eq!(document["drift"], sandbox.json(&["check"]).1["drift"]);
    for verb in [vec!["rotate"], vec!["rotate", "--dry-run"]] {
        sandbox.run(&verb);
        assert_eq!(sandbox.home(), before, "{verb:?}");
    }
    // A policy that fails is told of, and the gateway starts.
    let missing = audited.replace("policy.name = \"helm\"", "policy.file = \"missing.wasm\"");
    fs::write(sandbox.path("home/precedent.toml"), missing).unwrap();
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("missing.wasm"), "{}", run.stderr);
    assert_eq!(sandbox.run(&["check"]).code, Some(3), "who asks is told");
    // Enforced, it fails closed.
    let missing = manifest.replace("policy.name = \"helm\"", "policy.file = \"missing.wasm\"");
    fs::write(sandbox.path("home/precedent.toml"), missing).unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(3));
    fs::write(sandbox.path("home/precedent.toml"), &manifest).unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    fs::write(sandbox.path("home/precedent.toml"), &audited).unwrap();
    let run = sandbox.run(&["rollback"]);
    assert_eq!((run.code, token(&sandbox).as_str()), (Some(2), "canary-new\n"), "{run:?}");
    fs::write(
        sandbox.path("home/precedent.toml"),
        manifest.replace("preset =", "mode = \"audti\", preset ="),
    )
    .unwrap();
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("enforce"), "{}", run.stderr);
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

/// A folder that somebody else filled is not what this user's runs kept; nor is a manifest theirs.
#[test]
fn what_another_user_put_there_is_not_followed() {
    if !rustix::process::geteuid().is_root() {
        return tools::skip("only root can give files away");
    }
    let give = |path: std::path::PathBuf| {
        let status = Command::new("chown").args(["-R", "1234:1234"]).arg(path).status();
        assert!(status.unwrap().success());
    };
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    // An intent that would have the old token put back.
    let folder = sandbox.path("state/runs-openclaw/000001");
    fs::rename(folder.join("done.json"), folder.join("intent.json")).unwrap();
    fs::remove_file(sandbox.config()).unwrap();
    give(sandbox.path("state"));
    let run = sandbox.run(&["apply"]);
    assert_eq!(token(&sandbox), "canary-new\n", "{run:?}");
    assert!(run.stderr.contains("it belongs to another user (1234, this is 0)"), "{}", run.stderr);
    assert!(folder.join("intent.json").exists());
    let run = sandbox.run(&["rollback", "1"]);
    assert_eq!((run.code, token(&sandbox).as_str()), (Some(2), "canary-new\n"), "{run:?}");
    // One that everybody may write to, as a pod's: what somebody else put in it is not ours.
    for theirs in ["key", "runs-openclaw"] {
        let sandbox = Sandbox::two_files();
        assert_eq!(sandbox.run(&["apply"]).code, Some(0));
        let folder = sandbox.path("state/runs-openclaw/000001");
        fs::rename(folder.join("done.json"), folder.join("intent.json")).unwrap();
        fs::remove_file(sandbox.config()).unwrap();
        fs::set_permissions(sandbox.path("state"), fs::Permissions::from_mode(0o777)).unwrap();
        give(sandbox.path("state").join(theirs));
        let run = sandbox.run(&["apply"]);
        assert_eq!(token(&sandbox), "canary-new\n", "{theirs}: {run:?}");
        assert!(run.stderr.contains("another user (1234, this is 0)"), "{theirs}: {}", run.stderr);
        assert!(folder.join("intent.json").exists(), "{theirs}");
    }
    let sandbox = Sandbox::stale_remote();
    fs::create_dir(sandbox.path("state")).unwrap();
    fs::set_permissions(sandbox.path("state"), fs::Permissions::from_mode(0o777)).unwrap();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    // A manifest that lies where one works.
    let sandbox = Sandbox::two_files();
    let manifest = sandbox.path("home/precedent.toml");
    give(manifest.clone());
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(2), before), "{run:?}");
    assert!(
        run.stderr.contains("if it is meant, name it: --manifest precedent.toml"),
        "{}",
        run.stderr
    );
    let named = sandbox.run(&["plan", "--manifest", "precedent.toml"]);
    assert_eq!(named.code, Some(0), "{named:?}");
}

fn link_to_a_folder_of_others(sandbox: &Sandbox) -> std::path::PathBuf {
    let theirs = sandbox.path("releases");
    for name in ["20261119", "20261120"] {
        fs::create_dir_all(theirs.join(name)).unwrap();
        fs::write(theirs.join(name).join("precious"), "x").unwrap();
    }
    fs::create_dir_all(sandbox.path("state")).unwrap();
    std::os::unix::fs::symlink(&theirs, sandbox.path("state/runs-openclaw")).unwrap();
    theirs
}

/// Links where a run keeps its own: nothing at their other end is touched.
#[test]
fn what_is_kept_is_no_link() {
    let sandbox = Sandbox::stale_remote();
    let theirs = link_to_a_folder_of_others(&sandbox);
    let run = sandbox.run(&["apply"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("no backup, and no lock"), "{}", run.stderr);
    assert!(theirs.join("20261119/precious").exists() && theirs.join("20261120/precious").exists());
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 2, "nothing is put there either");
    for name in ["runs-openclaw/lock", "journal-openclaw.jsonl", "key"] {
        let sandbox = Sandbox::stale_remote();
        let precious = sandbox.path("precious");
        fs::write(&precious, "0123456789abcdef0123456789abcdef").unwrap();
        let link = sandbox.path("state").join(name);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&precious, &link).unwrap();
        let run = sandbox.run(&["apply"]);
        assert_eq!(run.code, Some(0), "{name}: {run:?}");
        assert!(run.stderr.contains("warning: "), "{name}: {}", run.stderr);
        assert_eq!(fs::read_to_string(&precious).unwrap().len(), 32, "{name}");
    }
    // What lies among the runs and is none of them stays.
    let sandbox = Sandbox::stale_remote();
    let other = sandbox.path("state/runs-openclaw/20261119");
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("precious"), "x").unwrap();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert!(other.join("precious").exists());
}

/// An intent that this installation's key did not sign moves nothing.
#[test]
fn an_intent_of_anybody_else_is_not_followed() {
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw/000001");
    let precious = sandbox.path("home/precious");
    fs::write(&precious, "x").unwrap();
    let file = fs::File::open(&precious).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let text = fs::read_to_string(folder.join("done.json")).unwrap();
    let planted = text.replace("openclaw.json.lock", "../precious");
    assert_ne!(text, planted);
    fs::remove_file(folder.join("done.json")).unwrap();
    fs::write(folder.join("intent.json"), planted).unwrap();
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(3), before), "{run:?}");
    assert!(run.stderr.contains("written with another key, or by hand"), "{}", run.stderr);
    // The same where the key is a new one: what was kept stays, and so do the files.
    fs::write(folder.join("intent.json"), text).unwrap();
    fs::remove_file(sandbox.path("state/key")).unwrap();
    let before = sandbox.home();
    let run = sandbox.run(&["apply"]);
    assert_eq!((run.code, sandbox.home()), (Some(3), before), "{run:?}");
    assert!(folder.join("0.old").exists() && folder.join("intent.json").exists());
    // A failure to begin is recorded too.
    let journal = fs::read_to_string(sandbox.path("state/journal-openclaw.jsonl")).unwrap();
    assert!(journal.lines().last().unwrap().contains("cannot be mended"), "{journal}");
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

/// Two installations of one name: what is taken back is one's own.
#[test]
fn the_last_run_of_another_installation_is_named_to_be_meant() {
    let mut sandbox = Sandbox::stale_remote();
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    let after = sandbox.config_text();
    let other = sandbox.path("other");
    fs::create_dir_all(other.join(".openclaw")).unwrap();
    sandbox.set("HOME", &other.display().to_string());
    let run = sandbox.run(&["rollback"]);
    assert_eq!((run.code, sandbox.config_text()), (Some(2), after), "{run:?}");
    assert!(run.stderr.contains("files that this deployment does not have"), "{}", run.stderr);
    assert_eq!(sandbox.run(&["rollback", "1"]).code, Some(0));
    assert!(sandbox.config_text().contains(OLD));
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

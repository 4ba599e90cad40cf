//! Whose turn it is to write: the deployment's lock, the gateway's own, and nobody's in an audit.

use std::{
    fs,
    io::Write,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::token;
use crate::support::{NEW, Sandbox};

#[test]
fn one_run_at_a_time() {
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    let folder = sandbox.path("state/runs-openclaw");
    fs::create_dir_all(&folder).unwrap();
    let lock = fs::File::create(folder.join("lock")).unwrap();
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() - 3661;
    let says = json!({"pid": 4711, "verb": "apply", "since": since});
    (&lock).write_all(says.to_string().as_bytes()).unwrap();
    lock.lock().unwrap();
    let before = sandbox.home();
    for verb in [vec!["apply"], vec!["rotate"]] {
        let run = sandbox.run(&[verb, vec!["--wait", "0"]].concat());
        assert_eq!((run.code, sandbox.home()), (Some(3), before.clone()), "{run:?}");
        let says = "another run has the deployment: `apply`, process 4711, for 1h 1m ";
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

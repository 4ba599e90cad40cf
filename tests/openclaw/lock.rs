//! Who writes the configuration when both want to: OpenClaw waits for our lock, and takes the lock of
//! a run that was killed.

use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::installation::{CONFIG_FIRST, Installation, Release, VARIABLE_FIRST};
use crate::support::{NEW, OLD, TOKEN, tools};

#[test]
fn openclaw_waits_for_a_run_and_not_for_one_that_was_killed() {
    for release in [&CONFIG_FIRST, &VARIABLE_FIRST] {
        one_writes_at_a_time(release);
    }
}

fn one_writes_at_a_time(release: &'static Release) {
    let Some(strace) = tools::program("strace") else { return };
    let Some(mut machine) = Installation::new(release) else { return };
    machine.write(Some(OLD), Some(OLD));
    machine.set_token(Some(NEW));
    assert_eq!(machine.sandbox.run(&["explain", "--policy", "helm"]).code, Some(0));
    let config = || -> serde_json::Value {
        serde_json::from_str(&fs::read_to_string(machine.sandbox.config()).unwrap()).unwrap()
    };
    let lock = machine.sandbox.path("home/.openclaw/openclaw.json.lock");
    // Of the lock and the configuration: what stands in the second way.
    let apply = |what: &str| -> Child {
        let inject = format!("inject=renameat2:{what}:when=2");
        let strace = strace.to_str().unwrap();
        let strace =
            [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", &inject];
        let mut command = machine.sandbox.command_under(&strace);
        command.args(["apply", "--policy", "helm"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let set = |port: &str| -> Child {
        let mut command = machine.openclaw(None);
        command.args(["config", "set", "gateway.port", port]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let until = |what: &str, done: &mut dyn FnMut() -> bool| {
        let end = Instant::now() + Duration::from_secs(90);
        while !done() {
            assert!(Instant::now() < end, "{}: {what}", release.version);
            thread::sleep(Duration::from_millis(20));
        }
    };

    // It stays at the last step for longer than OpenClaw takes to get there.
    let mut run = apply("delay_enter=14s");
    until("the run has the lock", &mut || lock.exists());
    let mut theirs = set("20111");
    until("the run lets go", &mut || {
        let is_held = lock.exists();
        let ended = theirs.try_wait().unwrap();
        assert!(!is_held || ended.is_none(), "{} did not wait: {ended:?}", release.version);
        !is_held
    });
    assert!(run.wait().unwrap().success());
    let theirs = theirs.wait_with_output().unwrap();
    if !theirs.status.success() {
        // It sees that what it had read before is not what it would write over.
        let said = String::from_utf8_lossy(&theirs.stderr);
        assert!(said.contains("changed"), "{}: {said}", release.version);
        assert!(set("20111").wait().unwrap().success(), "{}", release.version);
    }
    let now = config();
    assert_eq!(now["gateway"]["port"], 20111, "{now:#}");
    assert_eq!(now["gateway"]["auth"]["token"], NEW, "{now:#}");

    // Killed with the lock in hand.
    machine.write(Some(OLD), Some(OLD));
    let mut run = apply("signal=KILL");
    run.wait().unwrap();
    assert!(lock.exists());
    let began = Instant::now();
    assert!(set("20112").wait().unwrap().success(), "{}", release.version);
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    assert!(!lock.exists());
    assert_eq!(config()["gateway"]["port"], 20112);
    let after = machine.sandbox.run(&["apply", "--policy", "helm"]);
    assert_eq!(after.code, Some(0), "{after:?}");
    assert_eq!(config()["gateway"]["auth"]["token"], NEW);
    assert_eq!(machine.sandbox.variables()[TOKEN], NEW);
}

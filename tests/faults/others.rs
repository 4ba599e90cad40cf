//! Others who write at the same time, our own runs among them.

use std::{
    fs,
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::support::{NEW, OLD, Sandbox, tools};

/// Two runs at once, a hundred times: one of them writes, the other finds it done.
#[test]
fn two_runs_at_once_a_hundred_times() {
    let sandbox = Sandbox::two_files();
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    let config = sandbox.config_text();
    for round in 0..100 {
        fs::write(sandbox.config(), &config).unwrap();
        fs::write(sandbox.path("home/token"), "canary-old\n").unwrap();
        let start = || {
            let mut command = sandbox.command();
            command.args(["apply", "--wait", "60"]).stdout(std::process::Stdio::null());
            command.stderr(std::process::Stdio::piped()).spawn().unwrap()
        };
        let runs = [start(), start()];
        for run in runs {
            let output = run.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(0), "round {round}: {output:?}");
        }
        assert_eq!(fs::read_to_string(sandbox.path("home/token")).unwrap(), "canary-new\n");
        assert_eq!(sandbox.config_text().matches(NEW).count(), 1, "round {round}");
    }
    let (_, list) = sandbox.json(&["rollback", "--list"]);
    let runs = list["runs"].as_array().unwrap();
    assert!(runs.iter().all(|run| run["state"] == "done"), "{list}");
    assert_eq!(runs.last().unwrap()["run"], 100, "one of two wrote, each time");
}

/// Somebody who knows no lock writes the same file all the time: nothing that they wrote is lost.
#[test]
fn what_others_write_meanwhile_is_never_lost() {
    let sandbox = Sandbox::stale_remote();
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    let (written, is_over) = (AtomicU32::new(0), AtomicBool::new(false));
    let config = sandbox.config();
    thread::scope(|scope| {
        scope.spawn(|| {
            let beside = sandbox.path("home/.openclaw/theirs");
            for count in 1_u32.. {
                if is_over.load(Ordering::SeqCst) {
                    break;
                }
                // The old token again and again, so that there is always something to do.
                let text = format!(
                    r#"{{"n":{count},"gateway":{{"mode":"local","remote":{{"token":"{OLD}"}}}}}}"#
                );
                fs::write(&beside, text).unwrap();
                fs::rename(&beside, &config).unwrap();
                written.store(count, Ordering::SeqCst);
                let until = Instant::now() + Duration::from_micros(u64::from(count % 7) * 300);
                while Instant::now() < until {
                    // What stands there is never older than what was written last.
                    let text = fs::read_to_string(&config).unwrap();
                    let now: serde_json::Value = serde_json::from_str(&text).unwrap();
                    assert_eq!(now["n"], count, "it was written over: {text}");
                }
            }
        });
        for _ in 0..40 {
            let output = sandbox.command().args(["apply", "--policy", "helm"]).output().unwrap();
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 3 | 4)), "{output:?}");
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(written.load(Ordering::SeqCst) > 100, "they wrote meanwhile");
    let now: serde_json::Value = serde_json::from_str(&sandbox.config_text()).unwrap();
    assert_eq!(now["n"], written.load(Ordering::SeqCst));
    assert_eq!(sandbox.run(&["apply"]).code, Some(0));
    assert_eq!(sandbox.config_text().matches(NEW).count(), 2);
}

/// Somebody writes between our last look and our write; and somebody else again while theirs goes back.
#[test]
fn what_comes_in_the_last_moment_goes_back_in_its_place() {
    let Some(strace) = tools::program("strace") else { return };
    let strace = strace.to_str().unwrap();
    // Of the lock, the exchange, and the exchange back.
    for (calls, moments) in [("2", vec![700]), ("2..3", vec![700, 2200])] {
        let sandbox = Sandbox::stale_remote();
        assert_eq!(sandbox.run(&["explain"]).code, Some(0));
        let inject = format!("inject=renameat2:delay_enter=1500ms:when={calls}");
        let strace =
            [strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=renameat2", "-e", &inject];
        let mut command = sandbox.command_under(&strace);
        let mut child =
            command.args(["apply", "--policy", "helm"]).stdout(Stdio::null()).spawn().unwrap();
        let lock = sandbox.path("home/.openclaw/openclaw.json.lock");
        let until = Instant::now() + Duration::from_secs(20);
        while !lock.exists() {
            assert!(Instant::now() < until, "it never has the lock");
            thread::sleep(Duration::from_millis(5));
        }
        let began = Instant::now();
        let beside = sandbox.path("home/.openclaw/theirs");
        for (count, moment) in moments.iter().enumerate() {
            thread::sleep(Duration::from_millis(*moment).saturating_sub(began.elapsed()));
            let text = format!(
                r#"{{"n":{count},"gateway":{{"mode":"local","remote":{{"token":"{OLD}"}}}}}}"#
            );
            fs::write(&beside, text).unwrap();
            fs::rename(&beside, sandbox.config()).unwrap();
        }
        assert!(child.wait().unwrap().success(), "it looks again, and writes into theirs");
        let now: serde_json::Value = serde_json::from_str(&sandbox.config_text()).unwrap();
        assert_eq!(now["n"], moments.len() - 1, "{calls}: {now}");
        assert_eq!(now["gateway"]["remote"]["token"], NEW);
        assert_eq!(sandbox.run(&["check"]).code, Some(0));
    }
}

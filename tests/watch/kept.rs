//! A program that is kept in step: started, restarted, signalled, and ended.

use std::{fs, os::unix::process::ExitStatusExt, path::Path, process::Stdio};

use super::*;

const CONFIG: &str = r#"{"gateway":{"mode":"local"}}"#;

/// Keeps what it is given in `given`, a line for each start, and runs on.
fn program(sandbox: &Sandbox, then: &str) -> [String; 3] {
    let folder = sandbox.path("").display().to_string();
    let script = format!("trap 'exit 9' TERM; echo \"$$ ${TOKEN}\" >>{folder}/given; {then}");
    ["/bin/sh".to_owned(), "-c".to_owned(), script]
}

/// For longer than a test, and not for ever, should one be killed.
const RUNS_ON: &str = "n=0; while [ $n -lt 3000 ]; do /bin/sleep 0.05; n=$((n+1)); done";

fn keep<'s>(sandbox: &'s Sandbox, words: &[&str], then: &str) -> Watching<'s> {
    let program = program(sandbox, then);
    let env = format!("gateway-token={TOKEN}");
    let words = [words, &["--env", &env, "--"]].concat();
    let program = program.iter().map(String::as_str);
    Watching::new(sandbox, &words.into_iter().chain(program).collect::<Vec<_>>())
}

/// The processes that were started, and what each was given.
fn starts(sandbox: &Sandbox, count: usize) -> Vec<(u32, String)> {
    let text = says(sandbox, "given", |text| text.ends_with('\n') && text.lines().count() >= count);
    let start = |line: &str| {
        let (pid, token) = line.split_once(' ').unwrap();
        (pid.parse().unwrap(), token.to_owned())
    };
    text.lines().map(start).collect()
}

fn lives(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn another_secret_restarts_the_program_and_nothing_else_does() {
    let sandbox = mounted("canary-0", CONFIG);
    let mut watching = keep(&sandbox, &["--apply"], RUNS_ON);
    let started = watching.until("started");
    let (first, token) = starts(&sandbox, 1).remove(0);
    assert_eq!((started["pid"].as_u64(), token.as_str()), (Some(first.into()), "canary-0"));
    // A change that is nothing to it, and one that is written beside it.
    let config = sandbox.config_text();
    fs::write(sandbox.config(), config.replace("local", "local ")).unwrap();
    fs::write(sandbox.config(), config).unwrap();
    watching.is_quiet();
    swap(&sandbox, 1, "canary-1");
    assert_eq!(watching.until("stopping")["pid"].as_u64(), Some(first.into()));
    watching.until("started");
    let (second, token) = starts(&sandbox, 2).remove(1);
    assert_eq!((lives(first), lives(second), token.as_str()), (false, true, "canary-1"));
    // What cannot be had any more leaves it running as it is.
    fs::write(sandbox.config(), "{ \"gateway\": ").unwrap();
    watching.until("fault");
    assert!(lives(second));
    fs::write(sandbox.config(), CONFIG).unwrap();
    watching.until("recovered");
    assert_eq!(starts(&sandbox, 2).len(), 2);
    watching.end();
    assert!(!lives(second), "it ends with the watch");
}

#[test]
fn its_exit_code_is_passed_on() {
    let sandbox = mounted("canary-0", CONFIG);
    for (then, code) in [("exit 5", 5), ("kill -KILL $$", 137)] {
        let watching = keep(&sandbox, &["--apply"], then);
        assert_eq!(watching.ended().code(), Some(code));
    }
    let missing =
        Watching::new(&sandbox, &["--apply", "--env", "gateway-token=X", "--", "/nowhere"]);
    assert_eq!(missing.ended().code(), Some(127));
}

#[test]
fn a_program_that_does_not_end_is_ended_with_all_that_it_started() {
    let sandbox = mounted("canary-0", CONFIG);
    let folder = sandbox.path("").display().to_string();
    let then = format!(
        "trap '' TERM; /bin/sleep 300 & echo $! >{folder}/below; wait; wait; /bin/sleep 300"
    );
    let mut watching = keep(&sandbox, &["--apply", "--grace", "1"], &then);
    watching.until("started");
    let (pid, _) = starts(&sandbox, 1).remove(0);
    let below: u32 = says(&sandbox, "below", |text| text.ends_with('\n')).trim().parse().unwrap();
    watching.signal(Signal::TERM);
    assert_eq!(watching.ended().code(), Some(0));
    let until = Instant::now() + LONG;
    while lives(pid) || is_running(below) {
        assert!(Instant::now() < until, "they live on");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Who started it with `nohup` does not want it to end with the terminal.
#[test]
fn a_signal_that_is_ignored_ends_nothing() {
    let sandbox = mounted("canary-0", CONFIG);
    let mut command = sandbox.command_under(&["/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh"]);
    command.args(["watch", "--format", "json"]);
    let mut watching = Watching::of(&sandbox, command);
    watching.until("seen");
    watching.signal(Signal::HUP);
    watching.is_quiet();
    watching.end();
}

/// A terminal that is closed ends it, whatever whoever runs the tests wants ignored.
#[test]
fn a_terminal_that_is_closed_ends_it() {
    let sandbox = mounted("canary-0", CONFIG);
    let mut command = sandbox.command_under(&["/usr/bin/env", "--default-signal=HUP"]);
    command.args(["watch", "--format", "json"]);
    let mut watching = Watching::of(&sandbox, command);
    watching.until("seen");
    watching.signal(Signal::HUP);
    assert_eq!(watching.ended().code(), Some(0));
}

/// One that has ended and for which nobody waits is none.
fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn what_would_not_use_its_secret_is_not_started() {
    let stale = r#"{"gateway":{"auth":{"token":"canary-stale"}}}"#;
    let sandbox = Sandbox::with_config(stale);
    let program = program(&sandbox, RUNS_ON);
    let program = program.iter().map(String::as_str);
    let words: Vec<&str> = ["--policy", "helm", "--"].into_iter().chain(program).collect();
    let mut watching = Watching::new(&sandbox, &words);
    let held = watching.until("held");
    assert!(held["message"].as_str().unwrap().contains("gateway.auth.token"), "{held}");
    assert_eq!(watching.ended().code(), Some(4));
    assert!(!sandbox.path("given").exists());
}

#[test]
fn audited_the_program_is_started_as_it_is_and_left_alone() {
    let sandbox = mounted("canary-0", CONFIG);
    let audited =
        MOUNTED.replace("preset = \"openclaw\"", "preset = \"openclaw\", mode = \"audit\"");
    fs::write(sandbox.path("home/precedent.toml"), audited).unwrap();
    let mut watching = keep(&sandbox, &["--apply"], RUNS_ON);
    watching.until("started");
    let (pid, token) = starts(&sandbox, 1).remove(0);
    assert_eq!(token, "");
    swap(&sandbox, 1, "canary-1");
    watching.until("seen");
    watching.is_quiet();
    assert!(lives(pid) && starts(&sandbox, 1).len() == 1);
    watching.end();
}

#[test]
fn a_program_that_runs_by_itself_is_told_by_a_signal() {
    let sandbox = mounted("canary-0", r#"{"gateway":{"auth":{"token":"canary-0"}}}"#);
    let folder = sandbox.path("").display().to_string();
    let script =
        format!("trap 'echo told >>{folder}/told' USR1; echo ready >{folder}/ready; {RUNS_ON}");
    let mut gateway =
        Command::new("/bin/sh").args(["-c", &script]).stdin(Stdio::null()).spawn().unwrap();
    says(&sandbox, "ready", |text| !text.is_empty());
    let pid_file = sandbox.path("pid").display().to_string();
    fs::write(&pid_file, format!("{}\n", gateway.id())).unwrap();
    let words = ["--apply", "--reload-signal", "SIGUSR1", "--pid-file", &pid_file];
    let mut watching = Watching::new(&sandbox, &words);
    watching.until("seen");
    swap(&sandbox, 1, "canary-1");
    let told = watching.until("signalled");
    assert_eq!(told["pid"].as_u64(), Some(gateway.id().into()));
    says(&sandbox, "told", |text| text == "told\n");
    // What is no number of a process is told of, and the watch goes on.
    for (text, why) in
        [("-1", "no number"), ("2000000000", "cannot signal process"), ("1", "no number")]
    {
        fs::write(&pid_file, text).unwrap();
        swap(&sandbox, 2 + records(&sandbox) as u32, &format!("canary-for-{text}"));
        let fault = watching.until("fault");
        assert!(fault["message"].as_str().unwrap().contains(why), "{fault}");
        watching.is_quiet();
    }
    watching.end();
    assert_eq!(fs::read_to_string(sandbox.path("told")).unwrap(), "told\n");
    gateway.kill().unwrap();
    assert_eq!(gateway.wait().unwrap().signal(), Some(9));
    let run = sandbox.run(&["watch", "--reload-signal", "HUP", "--policy", "helm"]);
    assert!(run.code == Some(2) && run.stderr.contains("--pid-file"), "{run:?}");
}

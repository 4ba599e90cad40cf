//! `precedent exec`: a program in the place of ours, with its credentials in its environment.

use std::{
    fs,
    os::unix::{
        fs::PermissionsExt,
        process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process};
use serde_json::Value;

use crate::{
    support::{NEW, Sandbox, TOKEN, fixture, tools},
    watch::MOUNTED,
};

const PASSWORD: &str = "OPENCLAW_GATEWAY_PASSWORD";
/// A configuration whose token the server reads before it looks at the variable.
const STALE: &str = r#"{"gateway":{"auth":{"token":"canary-stale"}}}"#;
fn exec(sandbox: &Sandbox, words: &[&str], program: &[&str]) -> Command {
    let mut command = sandbox.command();
    command.arg("exec").args(words).arg("--").args(program);
    command
}

fn output(sandbox: &Sandbox, words: &[&str], program: &[&str]) -> (Option<i32>, String) {
    let output = exec(sandbox, words, program).output().unwrap();
    heard(sandbox, &output)
}

fn heard(sandbox: &Sandbox, output: &Output) -> (Option<i32>, String) {
    sandbox.hear(output);
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

/// A program that keeps what it was given, in a file and not in what it says.
fn keeps(sandbox: &Sandbox) -> [String; 3] {
    let script = format!(
        "echo $$ >{0}/pid; while read -r line; do echo \"$line\"; done </proc/$$/limits >{0}/limits; \
         echo \"${{{TOKEN}-unset}} ${{{PASSWORD}-unset}}\" >{0}/given; exit 7",
        sandbox.path("").display()
    );
    ["/bin/sh".to_owned(), "-c".to_owned(), script]
}

fn given(sandbox: &Sandbox) -> String {
    fs::read_to_string(sandbox.path("given")).unwrap_or_default().trim().to_owned()
}

fn keep(sandbox: &Sandbox, words: &[&str]) -> (Option<i32>, String) {
    let program = keeps(sandbox);
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    output(sandbox, words, &program)
}

/// Waits until our program is the other one.
fn replaced(child: &Child, name: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    let comm = format!("/proc/{}/comm", child.id());
    while fs::read_to_string(&comm).unwrap_or_default().trim() != name {
        assert!(Instant::now() < until, "it is never {name}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn the_program_takes_our_place_with_its_credentials() {
    let sandbox = Sandbox::with_config("{}").without(TOKEN);
    fs::create_dir(sandbox.path("home/secret")).unwrap();
    fs::write(sandbox.path("home/secret/token"), format!("{NEW}\n")).unwrap();
    fs::write(sandbox.path("home/precedent.toml"), MOUNTED).unwrap();
    let program = keeps(&sandbox);
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let words = ["--env", &format!("gateway-token={TOKEN}")];
    let child = exec(&sandbox, &words, &program)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = child.id();
    let (code, said) = heard(&sandbox, &child.wait_with_output().unwrap());
    assert_eq!((code, said.as_str()), (Some(7), ""), "its exit code, and not a word of ours");
    assert_eq!(fs::read_to_string(sandbox.path("pid")).unwrap().trim(), pid.to_string());
    // A password is nowhere, and no reason not to start.
    assert_eq!(given(&sandbox), format!("{NEW} unset"));
    let journal = fs::read_to_string(sandbox.path("state/journal-openclaw.jsonl")).unwrap();
    let record: Value = serde_json::from_str(journal.lines().last().unwrap()).unwrap();
    assert_eq!((&record["verb"], &record["phase"]), (&"exec".into(), &"start".into()));
}

#[test]
fn signals_are_the_programs_own_and_nothing_of_ours_is_left_in_it() {
    let sandbox = Sandbox::with_config("{}");
    let mut command = exec(&sandbox, &["--policy", "helm", "--apply"], &["/bin/sleep", "60"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    replaced(&child, "sleep");
    let process = format!("/proc/{}", child.id());
    let words = fs::read(format!("{process}/cmdline")).unwrap();
    assert_eq!(words, b"/bin/sleep\x0060\0");
    let environment = fs::read(format!("{process}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    let token = format!("{TOKEN}={NEW}");
    assert!(environment.split('\0').any(|variable| variable == token), "it is given the token");
    // Neither the journal nor a lock, which would last as long as the gateway.
    for entry in fs::read_dir(format!("{process}/fd")).unwrap() {
        let fd = entry.unwrap().file_name().into_string().unwrap();
        let to = fs::read_link(format!("{process}/fd/{fd}")).unwrap_or_default();
        let inherited = fs::read_link(format!("/proc/self/fd/{fd}")).is_ok_and(|own| own == to);
        let is_standard = ["0", "1", "2"].contains(&fd.as_str());
        assert!(is_standard || inherited, "{fd} is {}", to.display());
    }
    assert!(sandbox.config_text().contains(NEW), "--apply wrote");
    assert_eq!(sandbox.run(&["apply", "--wait", "0"]).code, Some(0), "the lock is free");
    let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let output = child.wait_with_output().unwrap();
    heard(&sandbox, &output);
    assert_eq!(output.status.signal(), Some(15));
}

/// The limit that keeps an image of our memory from being made is ours alone.
#[test]
fn the_program_has_the_limits_that_it_would_have_had() {
    let sandbox = Sandbox::with_config("{}");
    let core = getrlimit(Resource::Core);
    if core.maximum == Some(0) {
        return tools::skip("nobody here may have an image of a memory");
    }
    let script = "ulimit -S -c 8; exec \"$@\"";
    let program = keeps(&sandbox);
    let mut command = sandbox.command_under(&["/bin/sh", "-c", script, "sh"]);
    command.args(["exec", "--policy", "helm", "--"]).args(&program);
    assert_eq!(heard(&sandbox, &command.output().unwrap()).0, Some(7));
    let limits = fs::read_to_string(sandbox.path("limits")).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let soft: u64 = line.split_whitespace().nth(4).unwrap().parse().unwrap();
    assert!([8 * 512, 8 * 1024].contains(&soft), "{line}");
}

/// A server that reads its configuration first would not care for the variable.
#[test]
fn a_stale_copy_that_would_win_keeps_the_program_from_starting() {
    let sandbox = Sandbox::with_config(STALE);
    let before = sandbox.home();
    let (code, said) = keep(&sandbox, &["--policy", "helm"]);
    assert_eq!((code, given(&sandbox).as_str()), (Some(4), ""), "{said}");
    assert_eq!(sandbox.home(), before);
    for words in [
        "/bin/sh is not started: as `gateway` it would use gateway.auth.token #",
        "as its gateway-token, and not OPENCLAW_GATEWAY_TOKEN #",
        "even with OPENCLAW_GATEWAY_TOKEN set",
        "precedent apply --policy helm, or --apply here,",
    ] {
        assert!(said.contains(words), "{words:?} in {said}");
    }
    let journal = fs::read_to_string(sandbox.path("state/journal-openclaw.jsonl")).unwrap();
    assert!(journal.contains("it would use gateway.auth.token"), "{journal}");
    let (code, said) = keep(&sandbox, &["--policy", "helm", "--format", "json"]);
    let document: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &document["schema"]), (Some(4), &"precedent.exec/1".into()));
    assert!(document["held"]["message"].as_str().unwrap().contains("gateway.auth.token"));

    let (code, said) = keep(&sandbox, &["--policy", "helm", "--apply"]);
    assert_eq!((code, given(&sandbox)), (Some(7), format!("{NEW} unset")), "{said}");
    assert!(said.contains("config.auth-token is written"), "{said}");
    assert!(!sandbox.config_text().contains("canary-stale"));
    // The copies that others read are theirs.
    fs::write(sandbox.config(), r#"{"gateway":{"remote":{"token":"canary-old"}}}"#).unwrap();
    assert_eq!(keep(&sandbox, &["--policy", "helm"]).0, Some(7));
}

#[test]
fn what_the_policy_wants_is_given_whatever_was_inherited() {
    // The configuration is the truth, and the variable of the shell is from before.
    let config = r#"{"gateway":{"auth":{"token":"canary-rotated"}}}"#;
    let sandbox = Sandbox::with_config(config).env(TOKEN, "canary-inherited");
    let (code, said) = keep(&sandbox, &["--policy", "binary"]);
    assert_eq!((code, given(&sandbox).as_str()), (Some(7), "canary-rotated unset"), "{said}");
    // Another program, by the variable that it reads.
    let script = format!("echo \"$HOOK_TOKEN\" >{}", sandbox.path("given").display());
    let words = ["--policy", "binary", "--consumer", "cli", "--env", "gateway-token=HOOK_TOKEN"];
    let (code, said) = output(&sandbox, &words, &["/bin/sh", "-c", &script]);
    assert_eq!((code, given(&sandbox).as_str()), (Some(0), "canary-rotated"), "{said}");
    // No secret anywhere: what is there stays, for it is what the program would find without us.
    let config = r#"{"gateway":{"auth":{"mode":"none"}}}"#;
    let sandbox = Sandbox::with_config(config).env(TOKEN, " ");
    let (code, said) = keep(&sandbox, &["--policy", "binary"]);
    assert_eq!((code, given(&sandbox).as_str()), (Some(7), "unset"), "{said}");
}

#[test]
fn a_refusal_or_a_broken_rule_keeps_the_program_from_starting() {
    let sandbox = Sandbox::stale_remote();
    let policy = fixture::misbehaving().display().to_string();
    for (way, says) in [
        ("refuse", "the policy refuses: "),
        ("not-granted", "the policy's decision breaks the host's rules: "),
    ] {
        let words = ["--policy", &policy, "--set", &format!("way={way}")];
        let (code, said) = keep(&sandbox, &words);
        assert_eq!((code, given(&sandbox).as_str()), (Some(1), ""), "{way}: {said}");
        assert!(said.contains("/bin/sh is not started: ") && said.contains(says), "{said}");
        assert!(said.contains("→"), "a way out: {said}");
    }
    let (code, said) = keep(&sandbox, &["--policy", &policy, "--set", "way=trap"]);
    assert_eq!((code, given(&sandbox).as_str()), (Some(3), ""), "{said}");
}

#[test]
fn audited_it_starts_as_it_would_without_us() {
    let sandbox = Sandbox::with_config(STALE).env(TOKEN, "canary-inherited");
    let audited = |policy: &str| {
        let text =
            format!("deployment = {{ preset = \"openclaw\", mode = \"audit\" }}\n{policy}\n");
        fs::write(sandbox.path("home/precedent.toml"), text).unwrap();
        sandbox.home()
    };
    let before = audited("policy.name = \"helm\"");
    let (code, said) = keep(&sandbox, &["--apply"]);
    assert_eq!((code, given(&sandbox).as_str()), (Some(7), "canary-inherited unset"), "{said}");
    assert!(said.contains("audit: as `gateway` it would use gateway.auth.token"), "{said}");
    assert_eq!(sandbox.home(), before);
    audited("policy.file = \"missing.wasm\"");
    let (code, said) = keep(&sandbox, &[]);
    assert_eq!(code, Some(7), "{said}");
    assert!(said.contains("missing.wasm") && said.contains("it starts as it is"), "{said}");
}

#[test]
fn a_program_that_cannot_be_started_exits_as_in_a_shell() {
    let sandbox = Sandbox::with_config("{}").env("PATH", "/usr/bin:/bin");
    let make = |name: &str, text: &str, mode: u32| {
        fs::write(sandbox.path(name), text).unwrap();
        fs::set_permissions(sandbox.path(name), fs::Permissions::from_mode(mode)).unwrap();
        sandbox.path(name).display().to_string()
    };
    let plain = make("plain", "text", 0o644);
    let stranded = make("stranded", "#!/nowhere/sh\n", 0o755);
    let nowhere = sandbox.path("nowhere").display().to_string();
    for (program, code, says) in [
        ("no-such-program", 127, "no folder of the PATH has it"),
        (&*nowhere, 127, "there is no such file"),
        (&*stranded, 127, "look at its first line"),
        (&*plain, 126, "no file that this user may execute"),
        ("/", 126, "no file that this user may execute"),
    ] {
        let (exit, said) = output(&sandbox, &["--policy", "helm"], &[program]);
        assert_eq!(exit, Some(code), "{program}: {said}");
        assert!(
            said.contains(&format!("cannot start {program}: ")) && said.contains(says),
            "{said}"
        );
    }
}

#[test]
fn a_mistake_in_the_call_is_one() {
    let sandbox = Sandbox::with_config("{}");
    for (words, says) in [
        (
            vec!["--consumer", "gatway"],
            "unknown consumer `gatway`, expected one of `cli`, `gateway`",
        ),
        (
            vec!["--env", "gateway-tokn=X"],
            "`gateway` reads no `gateway-tokn`, it reads `gateway-token`",
        ),
        (vec!["--env", "gateway-token"], "--env takes CREDENTIAL=VARIABLE, not `gateway-token`"),
        (vec!["--env", "gateway-token=A B"], "--env takes CREDENTIAL=VARIABLE"),
        (
            vec!["--env", "gateway-token=X", "--env", "gateway-password=X"],
            "the variable X stands twice",
        ),
        (vec!["--manifest", "missing.toml"], "missing.toml"),
    ] {
        let (code, said) = keep(&sandbox, &words);
        assert_eq!((code, given(&sandbox).as_str()), (Some(2), ""), "{words:?}: {said}");
        assert!(said.contains(says), "{says:?} in {said}");
    }
    let run = sandbox.run(&["exec", "--policy", "helm"]);
    assert_eq!(run.code, Some(2), "{run:?}");
}

/// Who called us may have had its reasons to keep a signal from the program.
#[test]
fn what_is_ignored_stays_ignored() {
    let sandbox = Sandbox::with_config("{}");
    let mut command = sandbox.command_under(&["/bin/sh", "-c", "trap '' HUP; exec \"$@\"", "sh"]);
    command.args(["exec", "--policy", "helm", "--", "/bin/sleep", "60"]).process_group(0);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    replaced(&child, "sleep");
    let ignored = |process: &str| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
        u64::from_str_radix(mask.trim(), 16).unwrap()
    };
    let (of_program, own) = (ignored(&child.id().to_string()), ignored("self"));
    child.kill().unwrap();
    heard(&sandbox, &child.wait_with_output().unwrap());
    // A broken pipe is what our own runtime ignores, in the test as in the program.
    // So are, to whoever is started by `posix_spawn`, the two signals that the C library keeps to itself.
    let others = 1 << (13 - 1) | 0b11 << (32 - 1);
    assert_eq!(
        of_program & !others,
        (own & !others) | 1,
        "the first signal, and what the test was started with"
    );
}

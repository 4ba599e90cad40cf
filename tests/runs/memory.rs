//! What the memory of a run holds, and who can read it.

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::token;
use crate::support::{Sandbox, tools};

/// A secret so long that the first words of a freed block, which the allocator uses for itself, are
/// not all of it.
fn long(name: &str) -> String {
    format!("canary-{name}-{}-the-end-of-{name}", "0123456789abcdef".repeat(6))
}

/// At its end the process holds no secret that it read: nothing that was freed is still there.
#[test]
fn at_its_end_the_memory_holds_no_secret() {
    let Some(strace) = tools::program("strace") else { return };
    let sandbox = three_secrets();
    let memory = at_its_end(&sandbox, &strace, &["apply"], "", "In sync");
    for name in ["new", "old", "older"] {
        assert!(!holds(&memory, &format!("-the-end-of-{name}")), "{name}");
    }
    assert_eq!(token(&sandbox), format!("{}\n", long("new")));
}

/// Nor does one that has given a secret out.
#[test]
fn what_was_answered_is_not_kept() {
    let Some(strace) = tools::program("strace") else { return };
    let sandbox = three_secrets();
    let request = r#"{"protocolVersion":1,"provider":"precedent","ids":["gateway-token"]}"#;
    let given = format!("{}\"}}}}\n", long("new"));
    let memory = at_its_end(&sandbox, &strace, &["provide"], request, &given);
    assert!(!holds(&memory, "-the-end-of-new"));
}

/// A secret in a file, and older ones where it is to be written.
fn three_secrets() -> Sandbox {
    let sandbox = Sandbox::two_files().without("OPENCLAW_GATEWAY_TOKEN");
    fs::write(sandbox.path("home/secret"), format!("{}\n", long("new"))).unwrap();
    fs::write(sandbox.path("home/token"), format!("{}\n", long("old"))).unwrap();
    let config = format!(r#"{{"gateway":{{"auth":{{"token":"{}"}}}}}}"#, long("older"));
    fs::write(sandbox.config(), config).unwrap();
    let manifest = fs::read_to_string(sandbox.path("home/precedent.toml")).unwrap();
    let manifest = format!(
        "{manifest}\n[[locations]]\nname = \"env.gateway-token\"\ncredential = \"gateway-token\"\nfile = \"secret\"\n"
    );
    fs::write(sandbox.path("home/precedent.toml"), manifest).unwrap();
    assert_eq!(sandbox.run(&["explain"]).code, Some(0));
    sandbox
}

/// What the memory holds of a run that was handed `input`, has said everything up to `last`, and waits
/// before it ends.
fn at_its_end(sandbox: &Sandbox, strace: &Path, args: &[&str], input: &str, last: &str) -> Vec<u8> {
    let strace = strace.to_str().unwrap();
    let delay = ["-e", "trace=exit_group", "-e", "inject=exit_group:delay_enter=3s"];
    let strace = [&[strace, "-f", "-qq", "-o", "/dev/null"], &delay[..]].concat();
    let mut command = sandbox.command_under(&strace);
    command.args(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let mut said = Vec::new();
    let mut stdout = child.stdout.take().unwrap();
    let mut bytes = [0; 4096];
    while !String::from_utf8_lossy(&said).contains(last) {
        let read = stdout.read(&mut bytes).unwrap();
        assert_ne!(read, 0, "it ended before it had said all");
        said.extend_from_slice(&bytes[..read]);
    }
    thread::sleep(Duration::from_millis(700));
    let traced = format!("/proc/{0}/task/{0}/children", child.id());
    let traced = fs::read_to_string(traced).unwrap();
    let memory = memory(traced.split_whitespace().next().unwrap());
    assert!(holds(&memory, "PRECEDENT_STATE_DIR="), "what it may hold is found");
    child.wait().unwrap();
    memory
}

fn holds(memory: &[u8], text: &str) -> bool {
    memory.windows(text.len()).any(|window| window == text.as_bytes())
}

/// What a process can write to: its heap and its stacks.
fn memory(pid: &str) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut memory = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[v")) {
        let (from, to) = line.split_whitespace().next().unwrap().split_once('-').unwrap();
        let [from, to] = [from, to].map(|end| u64::from_str_radix(end, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        memory.seek(SeekFrom::Start(from)).unwrap();
        if memory.read_exact(&mut bytes).is_ok() {
            all.extend(bytes);
        }
    }
    all
}

/// No image of the memory is left by a crash, and no other process of the user reads it.
#[test]
fn nobody_else_reads_the_memory() {
    if !rustix::process::geteuid().is_root() {
        return tools::skip("only root can become somebody else");
    }
    let Some(setpriv) = tools::program("setpriv") else { return };
    let mut sandbox = Sandbox::two_files();
    let program = sandbox.path("precedent");
    fs::copy(&sandbox.program, &program).unwrap();
    sandbox.program = program;
    let owned = Command::new("chown").args(["-R", "65534:65534"]).arg(sandbox.path("")).status();
    assert!(owned.unwrap().success());
    let script = "ulimit -c unlimited; exec \"$@\"";
    let setpriv = setpriv.to_str().unwrap();
    let nobody = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"];
    let mut command = sandbox.command_under(&[&["sh", "-c", script, "sh"], &nobody[..]].concat());
    command.args(["rotate", "--stdin", "--dry-run"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let is_waiting = || {
        let name = fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap_or_default();
        let called =
            fs::read_to_string(format!("/proc/{}/syscall", child.id())).unwrap_or_default();
        // It reads its standard input.
        name.trim() == "precedent" && called.starts_with("0 0x0 ")
    };
    let until = Instant::now() + Duration::from_secs(20);
    while !is_waiting() {
        assert!(Instant::now() < until, "it never asks for the secret");
        thread::sleep(Duration::from_millis(20));
    }
    let process = format!("/proc/{}", child.id());
    // The kernel gives what may not be dumped to root.
    assert_eq!(fs::metadata(format!("{process}/mem")).unwrap().uid(), 0);
    let limits = fs::read_to_string(format!("{process}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(2), "there was no secret");
}

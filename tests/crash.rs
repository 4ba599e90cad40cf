//! Kills a run at every system call that changes a file, for every kind of target. After each kill
//! every file is as it was or as it was to be, what is left beside it is nobody else's, and what is
//! kept tells no secret; the next run ends where a run that nobody kills does, and leaves nothing.
//!
//! And lets each of those calls fail: then all files are as they were, or all as they were to be, as
//! the run says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::ExitStatusExt,
    },
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::{
    faults::two_files,
    support::{NEW, OLD, Sandbox, tools},
};

/// System calls that change a file or its name. Of `openat` only those that make one count.
const CHANGING: &[&str] = &[
    "openat",
    "creat",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "ftruncate",
    "truncate",
    "fallocate",
    "copy_file_range",
    "sendfile",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
    "chmod",
    "fchmod",
    "fchmodat",
    "chown",
    "lchown",
    "fchown",
    "fchownat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
    "utimensat",
    "fsync",
    "fdatasync",
    "msync",
];

/// An installation, and a run that is killed.
struct Victim {
    name: &'static str,
    sandbox: Sandbox,
    /// The run.
    run: Vec<&'static str>,
    /// What the run reads.
    input: Option<&'static str>,
    /// The run after it.
    next: Vec<&'static str>,
    /// Whether the next run may also end where nothing had been changed.
    may_be_undone: bool,
    /// A file that is a mount of its own.
    mount: Option<&'static str>,
    /// What a run before this one found.
    earlier: Files,
}

impl Victim {
    fn new(name: &'static str, sandbox: Sandbox, run: &[&'static str]) -> Self {
        let (run, next) = (run.to_vec(), run.to_vec());
        Self {
            name,
            sandbox,
            run,
            input: None,
            next,
            may_be_undone: false,
            mount: None,
            earlier: Files::new(),
        }
    }

    /// Makes the key and the compiled policy, and keeps all as it is now.
    fn settle(&self) {
        let explained =
            self.sandbox.command().args(["explain"]).args(self.policy()).output().unwrap();
        assert!(explained.status.success(), "{}: {explained:?}", self.name);
        self.keep();
    }

    fn keep(&self) {
        let _ = fs::remove_dir_all(self.sandbox.path("kept"));
        fs::create_dir(self.sandbox.path("kept")).unwrap();
        for part in ["home", "state"] {
            copy(&self.sandbox.path(part), &self.sandbox.path("kept"));
        }
    }

    /// As it was when it was kept.
    fn reset(&self) {
        for part in ["home", "state"] {
            fs::remove_dir_all(self.sandbox.path(part)).unwrap();
            copy(&self.sandbox.path("kept").join(part), &self.sandbox.path(""));
        }
    }

    fn policy(&self) -> Vec<String> {
        let own = self.sandbox.path("home/precedent.toml").exists();
        if own {
            vec![]
        } else {
            vec!["--policy".to_owned(), self.sandbox.default_policy().to_owned()]
        }
    }

    /// Runs the program, below another one such as strace.
    fn start(&self, under: &[String], args: &[&str]) -> Output {
        let plain = self.sandbox.command();
        let mut words: Vec<String> = under.to_vec();
        words.push(plain.get_program().to_string_lossy().into_owned());
        words.extend(args.iter().map(|&arg| arg.to_owned()));
        if args[0] != "rollback" {
            words.extend(self.policy());
        }
        if let Some(mount) = self.mount {
            let script = format!("mount --bind \"$HOME/{mount}\" \"$HOME/{mount}\" && exec \"$@\"");
            let shell = ["unshare", "--mount", "--map-root-user", "sh", "-c", &script, "sh"];
            words.splice(0..0, shell.iter().map(|&word| word.to_owned()));
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).env_clear().current_dir(plain.get_current_dir().unwrap());
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap());
        }
        command.env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who is killed before it reads leaves a closed pipe.
        let _ = child.stdin.take().unwrap().write_all(self.input.unwrap_or("").as_bytes());
        let output = child.wait_with_output().unwrap();
        self.sandbox.hear(&output);
        output
    }

    fn home(&self) -> Files {
        self.sandbox.home()
    }
}

type Files = BTreeMap<PathBuf, (Vec<u8>, u32)>;

fn copy(from: &Path, into: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(into).status().unwrap();
    assert!(status.success());
}

/// The system calls that change a file, and which of its calls each is.
fn calls(trace: &str) -> Vec<(String, usize)> {
    let main = trace.split_whitespace().next().unwrap_or_default().to_owned();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let Some((pid, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let Some((name, arguments)) = call.split_once('(') else { continue };
        if pid != main || !CHANGING.contains(&name) {
            continue;
        }
        let count = seen.entry(name.to_owned()).or_default();
        *count += 1;
        let only_opens = name == "openat" && !arguments.contains("O_CREAT");
        let only_says =
            name == "write" && (arguments.starts_with("1,") || arguments.starts_with("2,"));
        if !only_opens && !only_says {
            calls.push((name.to_owned(), *count));
        }
    }
    calls
}

/// What happens at a system call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blow {
    Kill,
    Fail,
}

/// Lets it happen everywhere. Returns how often.
fn enumerate(victim: &Victim, blow: Blow) -> usize {
    let Some(strace) = tools::program("strace") else { return 0 };
    if victim.mount.is_some() && tools::program("unshare").is_none() {
        return 0;
    }
    let strace = |options: &[&str]| -> Vec<String> {
        let program = strace.display().to_string();
        let fixed = ["-f", "-qq"].iter().chain(options).map(|&word| word.to_owned());
        std::iter::once(program).chain(fixed).collect()
    };
    let before = victim.home();
    let log = victim.sandbox.path("trace");
    let trace = format!("trace={}", CHANGING.join(","));
    let whole = victim.start(&strace(&["-e", &trace, "-o", log.to_str().unwrap()]), &victim.run);
    assert_eq!(whole.status.code(), Some(0), "{}: {whole:?}", victim.name);
    let after = victim.home();
    assert_ne!(before, after, "{}: the run changes something", victim.name);
    let calls = calls(&fs::read_to_string(&log).unwrap());
    for (call, count) in &calls {
        victim.reset();
        let at = format!("{} at {call} {count}", victim.name);
        let what = match (blow, call.as_str()) {
            (Blow::Kill, _) => "signal=KILL",
            (Blow::Fail, "write" | "fallocate" | "mkdir" | "ftruncate") => "error=ENOSPC",
            (Blow::Fail, _) => "error=EIO",
        };
        let inject = format!("inject={call}:{what}:when={count}");
        let only = format!("trace={call}");
        let struck =
            victim.start(&strace(&["-e", &only, "-e", &inject, "-o", "/dev/null"]), &victim.run);
        match blow {
            Blow::Kill => {
                assert_eq!(struck.status.signal(), Some(9), "{at}: {struck:?}");
                is_whole(victim, &before, &after, &at);
            }
            Blow::Fail => {
                let wanted = if struck.status.success() { &after } else { &before };
                let now = lasting(&victim.home());
                let differing = differences(&now, &lasting(wanted));
                assert!(differing.is_empty(), "{at}: {differing}; {struck:?}");
                assert!(matches!(struck.status.code(), Some(0 | 3)), "{at}: {struck:?}");
                tells_no_secret(victim, &at);
            }
        }
        let next = victim.start(&[], &victim.next);
        assert_eq!(next.status.code(), Some(0), "{at}, then: {next:?}");
        let now = victim.home();
        let is_right = now == after || victim.may_be_undone && now == before;
        assert!(is_right, "{at}: the next run ends elsewhere: {}", differences(&now, &after));
        tells_no_secret(victim, &at);
        let list = victim.start(&[], &["rollback", "--list"]);
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        assert!(!list.contains("not ended"), "{at}: {list}");
    }
    calls.len()
}

/// Without what is there only while a run writes.
fn lasting(files: &Files) -> Files {
    files
        .iter()
        .filter(|(path, _)| !is_passing(path))
        .map(|(p, f)| (p.clone(), f.clone()))
        .collect()
}

/// Every file old or new; beside them only what is nobody else's.
fn is_whole(victim: &Victim, before: &Files, after: &Files, at: &str) {
    for (path, (bytes, mode)) in victim.home() {
        if is_passing(&path) {
            // The one that came out, or that was to go in, is what it is under its own name.
            let is_known = [before, after, &victim.earlier]
                .into_iter()
                .flat_map(Files::values)
                .any(|known| *known == (bytes.clone(), mode));
            assert!(mode & 0o077 == 0 || is_known, "{at}: others may read {}", path.display());
            continue;
        }
        let known: Vec<&(Vec<u8>, u32)> =
            [before, after, &victim.earlier].iter().filter_map(|files| files.get(&path)).collect();
        let is_either = known.iter().any(|(known, _)| *known == bytes);
        let is_mount = victim.mount.is_some_and(|mount| path.ends_with(mount));
        assert!(is_either || is_mount, "{at}: {} is neither old nor new", path.display());
        assert!(
            known.iter().any(|(_, known)| *known == mode),
            "{at}: {} has mode {mode:o}",
            path.display()
        );
    }
    for path in before.keys().filter(|path| !is_passing(path)) {
        assert!(path.symlink_metadata().is_ok(), "{at}: {} is gone", path.display());
    }
    tells_no_secret(victim, at);
}

/// Whether it is there only while a run writes.
fn is_passing(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name.starts_with(".precedent-") || name.ends_with(".lock")
}

/// What is kept between runs holds no secret that can be read, and nobody else may read it.
fn tells_no_secret(victim: &Victim, at: &str) {
    for (path, bytes, mode) in victim.sandbox.kept() {
        assert!(!bytes.windows(7).any(|window| window == b"canary-"), "{at}: {}", path.display());
        let is_cache = path.starts_with(victim.sandbox.path("cache"));
        assert!(is_cache || mode & 0o077 == 0, "{at}: others may read {}", path.display());
    }
}

fn differences(now: &Files, wanted: &Files) -> String {
    let paths: BTreeSet<&PathBuf> = now.keys().chain(wanted.keys()).collect();
    let differing = paths.into_iter().filter(|path| now.get(*path) != wanted.get(*path));
    let shown = |file: Option<&(Vec<u8>, u32)>| match file {
        Some((bytes, mode)) => format!("{mode:o} {:?}", String::from_utf8_lossy(bytes)),
        None => "nothing".to_owned(),
    };
    let lines = differing.map(|path| {
        format!("{}: {}, wanted {}", path.display(), shown(now.get(path)), shown(wanted.get(path)))
    });
    lines.collect::<Vec<_>>().join("; ")
}

fn report(victim: &Victim) {
    let killed = enumerate(victim, Blow::Kill);
    // Past the test runner, which keeps what a passing test prints to itself.
    let line = format!("KILLED: {} at {killed} of {killed} system calls: 0 lost", victim.name);
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

fn fails_everywhere(victim: &Victim) {
    victim.settle();
    let failed = enumerate(victim, Blow::Fail);
    let line = format!("ERRORS: {} at {failed} of {failed} system calls: 0 lost", victim.name);
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

const UNIT: &str = "home/.config/systemd/user/openclaw-gateway.service";

/// A machine with a service: the configuration is the truth, and the rest is to follow.
fn daemon(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new().policy("binary");
    let config = format!(r#"{{"gateway":{{"auth":{{"token":"{NEW}"}}}}}}"#);
    fs::write(sandbox.config(), config).unwrap();
    for (name, text) in files {
        let path = sandbox.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    sandbox
}

fn killed_everywhere(victim: &Victim) {
    victim.settle();
    report(victim);
}

#[test]
fn a_configuration() {
    killed_everywhere(&Victim::new("configuration", Sandbox::stale_remote(), &["apply"]));
}

#[test]
fn a_configuration_behind_a_link() {
    let sandbox = Sandbox::stale_remote();
    let real = sandbox.path("home/real.json");
    fs::rename(sandbox.config(), &real).unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
    symlink("../real.json", sandbox.config()).unwrap();
    killed_everywhere(&Victim::new("link", sandbox, &["apply"]));
}

#[test]
fn a_file_that_a_configuration_goes_on_in() {
    let config = r#"{"$include":"./gateway.json5"}"#;
    let sandbox = Sandbox::with_config(config);
    let part = "// mine\n{gateway:{auth:{token:'canary-old'},remote:{token:'canary-old'}}}\n";
    fs::write(sandbox.path("home/.openclaw/gateway.json5"), part).unwrap();
    killed_everywhere(&Victim::new("included file", sandbox, &["apply"]));
}

#[test]
fn two_files_at_once() {
    killed_everywhere(&Victim::new("two files", two_files(), &["apply"]));
}

fn mounted() -> Victim {
    let sandbox = two_files();
    // Longer than what takes its place, so that there is something to cut off.
    fs::write(sandbox.path("home/token"), format!("{OLD}-{}\n", "x".repeat(9000))).unwrap();
    let mut victim = Victim::new("mounted file", sandbox, &["apply"]);
    victim.mount = Some("token");
    victim
}

#[test]
fn a_file_that_is_a_mount() {
    killed_everywhere(&mounted());
}

#[test]
fn a_dotenv_file() {
    let text = "# mine\nexport OPENCLAW_GATEWAY_TOKEN='canary-old' # ours\n";
    killed_everywhere(&Victim::new("dotenv", daemon(&[("home/.openclaw/.env", text)]), &["apply"]));
}

#[test]
fn a_unit_and_its_drop_in() {
    let unit = "[Unit]\nDescription=OpenClaw\n[Service]\nExecStart=/usr/bin/openclaw gateway\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-old\n";
    let drop_in = "[Service]\nEnvironment=OPENCLAW_GATEWAY_TOKEN=canary-older\n";
    let files = [(UNIT, unit), (&*format!("{UNIT}.d/10-token.conf"), drop_in)];
    killed_everywhere(&Victim::new("unit", daemon(&files), &["apply"]));
}

#[test]
fn a_property_list() {
    let list = "<?xml version=\"1.0\"?>\n<plist version=\"1.0\"><dict><key>Label</key><string>ai.openclaw.gateway</string><key>EnvironmentVariables</key><dict><key>OPENCLAW_GATEWAY_TOKEN</key><string>canary-old</string></dict></dict></plist>\n";
    let file = "home/Library/LaunchAgents/ai.openclaw.gateway.plist";
    killed_everywhere(&Victim::new("property list", daemon(&[(file, list)]), &["apply"]));
}

fn rotation() -> Victim {
    let env = "OPENCLAW_GATEWAY_TOKEN=canary-new\n";
    let environment = "A=1\nOPENCLAW_GATEWAY_TOKEN=canary-new\n";
    let unit = "[Service]\nExecStart=/usr/bin/openclaw gateway\nEnvironmentFile=%h/openclaw.env\n";
    let sandbox =
        daemon(&[("home/.openclaw/.env", env), ("home/openclaw.env", environment), (UNIT, unit)]);
    let mut victim = Victim::new("rotation", sandbox, &["rotate", "--stdin"]);
    victim.input = Some("canary-rotated-and-long-enough\n");
    victim.next = vec!["apply"];
    victim.may_be_undone = true;
    victim
}

#[test]
fn a_rotation() {
    killed_everywhere(&rotation());
}

#[test]
fn a_rollback() {
    let victim = Victim::new("rollback", two_files(), &["rollback", "000001"]);
    victim.settle();
    assert_eq!(victim.start(&[], &["apply"]).status.code(), Some(0));
    victim.keep();
    let victim = Victim { next: vec!["apply"], ..victim };
    // The next run decides anew, and writes what was taken back.
    report(&Victim { may_be_undone: true, ..victim });
}

/// The run after a kill is killed too: wherever, the one after that ends it.
#[test]
fn a_recovery() {
    let Some(strace) = tools::program("strace") else { return };
    let mut victim = Victim::new("recovery", two_files(), &["apply"]);
    victim.settle();
    victim.earlier = victim.home();
    let intent = victim.sandbox.path("state/runs-openclaw/000001/intent.json");
    let token = victim.sandbox.path("home/token");
    let is_half = || {
        let config = victim.sandbox.config_text();
        intent.exists() && config.contains(NEW) != fs::read_to_string(&token).unwrap().contains(NEW)
    };
    let killed = (1..40).find(|count| {
        victim.reset();
        let words = format!(
            "-f -qq -e trace=renameat2 -e inject=renameat2:signal=KILL:when={count} -o /dev/null"
        );
        let mut under = vec![strace.display().to_string()];
        under.extend(words.split(' ').map(ToOwned::to_owned));
        victim.start(&under, &victim.run);
        is_half()
    });
    assert!(killed.is_some(), "a kill that leaves one of two files changed");
    // What the killed run left is part of what is found.
    victim.keep();
    report(&victim);
}

/// Without a folder to keep anything in, one file is still old or new.
#[test]
fn without_a_state_folder() {
    let sandbox = Sandbox::stale_remote();
    let mut victim = Victim::new("no state folder", sandbox, &["apply"]);
    victim.settle();
    victim.sandbox.set("PRECEDENT_STATE_DIR", "/proc/nowhere");
    report(&victim);
}

#[test]
fn calls_that_fail_with_one_file() {
    fails_everywhere(&Victim::new("configuration", Sandbox::stale_remote(), &["apply"]));
}

#[test]
fn calls_that_fail_with_two_files() {
    fails_everywhere(&Victim::new("two files", two_files(), &["apply"]));
}

#[test]
fn calls_that_fail_with_a_mount() {
    fails_everywhere(&mounted());
}

#[test]
fn calls_that_fail_in_a_rotation() {
    fails_everywhere(&rotation());
}

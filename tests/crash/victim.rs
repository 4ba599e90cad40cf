//! An installation, a run on it, and what happens to that run at every system call that changes a
//! file.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::support::{Sandbox, tools};

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
pub(super) struct Victim {
    pub(super) name: &'static str,
    pub(super) sandbox: Sandbox,
    /// The run.
    pub(super) run: Vec<&'static str>,
    /// What the run reads.
    pub(super) input: Option<&'static str>,
    /// The run after it.
    pub(super) next: Vec<&'static str>,
    /// Whether the next run may also end where nothing had been changed.
    pub(super) may_be_undone: bool,
    /// A file that is a mount of its own.
    pub(super) mount: Option<&'static str>,
    /// What a run before this one found.
    pub(super) earlier: Files,
}

impl Victim {
    pub(super) fn new(name: &'static str, sandbox: Sandbox, run: &[&'static str]) -> Self {
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
    pub(super) fn settle(&self) {
        let explained =
            self.sandbox.command().args(["explain"]).args(self.policy()).output().unwrap();
        assert!(explained.status.success(), "{}: {explained:?}", self.name);
        self.keep();
    }

    pub(super) fn keep(&self) {
        let _ = fs::remove_dir_all(self.sandbox.path("kept"));
        fs::create_dir(self.sandbox.path("kept")).unwrap();
        for part in ["home", "state"] {
            copy(&self.sandbox.path(part), &self.sandbox.path("kept"));
        }
    }

    /// As it was when it was kept.
    pub(super) fn reset(&self) {
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
    pub(super) fn start(&self, under: &[String], args: &[&str]) -> Output {
        let mut words: Vec<String> = under.to_vec();
        if let Some(mount) = self.mount {
            let script = format!("mount --bind \"$HOME/{mount}\" \"$HOME/{mount}\" && exec \"$@\"");
            let shell = ["unshare", "--mount", "--map-root-user", "sh", "-c", &script, "sh"];
            words.splice(0..0, shell.iter().map(|&word| word.to_owned()));
        }
        let mut command = if words.is_empty() {
            self.sandbox.command()
        } else {
            self.sandbox.command_under(&words)
        };
        command.args(args);
        if args[0] != "rollback" {
            command.args(self.policy());
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Who is killed before it reads leaves a closed pipe.
        let _ = child.stdin.take().unwrap().write_all(self.input.unwrap_or("").as_bytes());
        let output = child.wait_with_output().unwrap();
        self.sandbox.hear(&output);
        output
    }

    pub(super) fn home(&self) -> Files {
        self.sandbox.home()
    }
}

pub(super) type Files = BTreeMap<PathBuf, (Vec<u8>, u32)>;

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
pub(super) enum Blow {
    Kill,
    Fail,
}

/// Lets it happen everywhere. Returns how often.
pub(super) fn enumerate(victim: &Victim, blow: Blow) -> usize {
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

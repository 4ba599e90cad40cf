//! A home of its own for each test, and the binary run in it.

pub(crate) mod canary;
pub(crate) mod fixture;
pub(crate) mod hostile;
pub(crate) mod tools;
pub(crate) mod world;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use precedent::{
    Builder, Host,
    artifact::{self, PolicyRef},
    decide::{Engine, Limits, Policy},
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "OPENCLAW_GATEWAY_TOKEN";
pub(crate) const NEW: &str = "canary-new";
pub(crate) const OLD: &str = "canary-old";

const TWO_FILES: &str = r#"
deployment = { preset = "openclaw" }
policy.name = "helm"
grants.write = ["config.auth-token", "config.remote-token"]
[[locations]]
name = "config.remote-token"
credential = "gateway-token"
file = "token"
"#;

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The shipped policy for pods, and what names it.
pub(crate) fn helm() -> (Policy, PolicyRef) {
    shipped_policy("helm")
}

/// A shipped policy, and what names it.
pub(crate) fn shipped_policy(name: &str) -> (Policy, PolicyRef) {
    let reference = PolicyRef::Shipped(name.to_owned());
    let engine = Engine::new().unwrap();
    let policy = artifact::load(&engine, &reference, None, Limits::default(), None).unwrap();
    (policy, reference)
}

/// A host with a policy that is loaded already.
pub(crate) fn hosted(builder: Builder, policy: Policy) -> Host {
    Host::with_policy(Arc::new(builder.installation().unwrap()), policy).unwrap()
}

/// A home directory, a state folder and an environment.
pub(crate) struct Sandbox {
    folder: TempDir,
    env: BTreeMap<String, String>,
    secrets: Vec<String>,
    policy: &'static str,
    /// Everything that the runs printed.
    said: Mutex<Vec<u8>>,
    pub(crate) program: PathBuf,
}

/// What a run of the binary came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Sandbox {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("home/.openclaw")).unwrap();
        let mut sandbox = Self {
            env: BTreeMap::new(),
            secrets: vec!["canary-".to_owned()],
            policy: "helm",
            said: Mutex::default(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_precedent")),
            folder,
        };
        let home = sandbox.path("home").display().to_string();
        sandbox.set("HOME", &home);
        let state = sandbox.path("state").display().to_string();
        sandbox.set("PRECEDENT_STATE_DIR", &state);
        let cache = sandbox.path("cache").display().to_string();
        sandbox.set("PRECEDENT_CACHE_DIR", &cache);
        sandbox
    }

    /// A sandbox whose config is this text, and whose variable is [`NEW`].
    pub(crate) fn with_config(config: &str) -> Self {
        let sandbox = Self::new().env(TOKEN, NEW);
        fs::write(sandbox.config(), config).unwrap();
        sandbox
    }

    /// The story: the variable is new, `gateway.remote.token` is old.
    pub(crate) fn stale_remote() -> Self {
        Self::with_config(&format!(
            r#"{{"gateway":{{"mode":"local","remote":{{"token":"{OLD}"}}}}}}"#
        ))
    }

    /// The same with a token in a file of its own, which follows the variable too.
    pub(crate) fn two_files() -> Self {
        let sandbox = Self::stale_remote();
        fs::write(sandbox.path("home/token"), "canary-old\n").unwrap();
        fs::write(sandbox.path("home/precedent.toml"), TWO_FILES).unwrap();
        sandbox
    }

    /// The policy where a call names neither one nor a manifest; the stories of the pod need no word.
    pub(crate) fn policy(mut self, name: &'static str) -> Self {
        self.policy = name;
        self
    }

    /// The policy where nothing names one.
    pub(crate) fn default_policy(&self) -> &'static str {
        self.policy
    }

    /// Every file that runs keep for one another, with its bytes and mode.
    pub(crate) fn kept(&self) -> Vec<(PathBuf, Vec<u8>, u32)> {
        let mut kept = BTreeMap::new();
        walk(&self.path("state"), &mut kept);
        walk(&self.path("cache"), &mut kept);
        kept.into_iter().map(|(path, (bytes, mode))| (path, bytes, mode)).collect()
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn unset(&mut self, name: &str) {
        self.env.remove(name);
    }

    /// The environment that the binary runs with.
    pub(crate) fn variables(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Sets a variable; the gateway's are secrets, which no output may show.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        if name.starts_with("OPENCLAW_GATEWAY") && value.trim().len() > 3 {
            self.secrets.push(value.trim().to_owned());
        }
        self.set(name, value);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.unset(name);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("home/.openclaw/openclaw.json")
    }

    pub(crate) fn config_text(&self) -> String {
        fs::read_to_string(self.config()).unwrap()
    }

    /// Every file below the home, with its bytes and mode: before and after.
    pub(crate) fn home(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
        let mut files = BTreeMap::new();
        walk(&self.path("home"), &mut files);
        files
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(&self.env).current_dir(self.path("home")).stdin(Stdio::null());
        command
    }

    /// Runs the binary with something to read. What it says is the caller's to search.
    pub(crate) fn fed(&self, args: &[impl AsRef<OsStr>], input: &[u8]) -> Output {
        let mut command = self.command();
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // One that has read enough may be gone.
        let _ = child.stdin.take().unwrap().write_all(input);
        child.wait_with_output().unwrap()
    }

    /// The binary under another program, which is found as the machine finds it.
    pub(crate) fn command_under(&self, words: &[impl AsRef<OsStr>]) -> Command {
        let (first, rest) = words.split_first().unwrap();
        let mut command = Command::new(first);
        command.args(rest).arg(&self.program).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin").envs(&self.env);
        command.current_dir(self.path("home")).stdin(Stdio::null());
        command
    }

    /// Runs the binary, and searches everything that it said and kept for secrets.
    pub(crate) fn run(&self, args: &[impl AsRef<OsStr>]) -> Run {
        let args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        let says = |word: &str| args.contains(&OsStr::new(word));
        let decides = ["explain", "plan", "apply", "check", "test", "rotate"].into_iter().any(says);
        let own = says("--policy") || says("--manifest") || says("--help");
        let by_name = self.path("home/precedent.toml").exists();
        let policy: &[&str] =
            if decides && !own && !by_name { &["--policy", self.policy] } else { &[] };
        let output = self.command().args(args).args(policy).output().unwrap();
        self.hear(&output);
        self.leaves_nothing();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    pub(crate) fn json(&self, args: &[&str]) -> (Option<i32>, Value) {
        let run = self.run(&[args, &["--format", "json"]].concat());
        let document =
            serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        (run.code, document)
    }

    /// Remembers what was said, and searches it and everything that is kept for secrets.
    pub(crate) fn hear(&self, output: &Output) {
        canary::search(&output.stdout, &self.secrets, "stdout");
        canary::search(&output.stderr, &self.secrets, "stderr");
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(&output.stdout);
        said.extend_from_slice(&output.stderr);
        drop(said);
        self.search();
    }

    /// What is kept between runs, and what a run leaves beside its targets.
    fn search(&self) {
        for (path, bytes, _) in self.kept() {
            canary::search(&bytes, &self.secrets, &path.display().to_string());
        }
    }

    fn leaves_nothing(&self) {
        let leftover = self.home().into_keys().find(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".precedent"))
        });
        assert_eq!(leftover, None, "a temporary file was left");
    }
}

/// Whatever a test did, and however it ran the program: nothing that is kept tells a secret, and no
/// secret that was minted was said.
impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.search();
        let minted: Vec<String> =
            self.home().into_values().flat_map(|(bytes, _)| canary::minted(&bytes)).collect();
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        canary::search(&said, &minted, "what was said");
        for (path, bytes, _) in self.kept() {
            canary::search(&bytes, &minted, &path.display().to_string());
        }
    }
}

fn walk(folder: &Path, files: &mut BTreeMap<PathBuf, (Vec<u8>, u32)>) {
    use std::os::unix::fs::PermissionsExt;
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        // A gateway that runs here may have taken its own temporary file away since.
        let Ok(metadata) = fs::symlink_metadata(&path) else {
            continue;
        };
        if metadata.is_dir() {
            walk(&path, files);
        } else {
            let bytes = if metadata.is_file() {
                fs::read(&path).unwrap_or_default()
            } else {
                fs::read_link(&path)
                    .map(|l| l.display().to_string().into_bytes())
                    .unwrap_or_default()
            };
            files.insert(path, (bytes, metadata.permissions().mode() & 0o7777));
        }
    }
}

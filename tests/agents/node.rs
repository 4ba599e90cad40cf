//! A node in this process: a home, a state folder, and an agent, on any store.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use precedent::{
    Host,
    fleet::{Agent, Happening, Store, write_fleet_key},
    model::Phase,
    observe::{Command, FileContents, Machine, ReadError, RunError, World},
    record::StateFolder,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use zeroize::Zeroizing;

pub(crate) const CODEX: &str = "openai-codex:default";
const HOUR: u64 = 60 * 60 * 1000;

/// The last release that keeps logins in files.
const BEFORE: &str = "2026.7.35";

/// This machine with a home of its own, and nothing else of the environment.
pub(crate) struct Home(pub(crate) PathBuf);

impl World for Home {
    fn raw_variable(&self, name: &str) -> Option<Option<Zeroizing<String>>> {
        match name {
            "HOME" => Some(Some(Zeroizing::new(self.0.display().to_string()))),
            "PATH" => Machine::default().raw_variable(name),
            _ => None,
        }
    }

    fn read(&self, path: &Path) -> Result<FileContents, ReadError> {
        Machine::default().read(path)
    }

    fn identity(&self, path: &Path) -> PathBuf {
        Machine::default().identity(path)
    }

    fn exists(&self, path: &Path) -> bool {
        Machine::default().exists(path)
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        Machine::default().list(folder)
    }

    fn run(&self, command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, RunError> {
        Machine::default().run(command)
    }
}

/// Nodes that know one another.
pub(crate) struct Nodes {
    folder: TempDir,
    pub(crate) names: Vec<String>,
    /// The part of every manifest that says who they are.
    peers: String,
    /// How far each clock is off, in seconds.
    clocks: BTreeMap<String, Arc<AtomicI64>>,
    /// What happened on each.
    pub(crate) told: Arc<Mutex<Vec<(String, String, String)>>>,
}

impl Nodes {
    /// So many nodes, each with one agent that has no login. `more` is added to each manifest, with `$DIR` for
    /// the folder of the fleet and `$NODE` for the node.
    pub(crate) fn new(names: &[&str], policy: &str, more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        write_fleet_key(&folder.path().join("fleet.key")).unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let clocks = names.iter().map(|name| (name.clone(), Arc::default())).collect();
        let mut nodes = Self { folder, names, peers: String::new(), clocks, told: Arc::default() };
        let mut peers = String::new();
        for name in &nodes.names {
            let identity = nodes.state(name).make_identity().unwrap();
            let (recipient, signer) = (identity.recipient(), identity.signer());
            peers += &format!(
                "[[peers]]\nname = \"{name}\"\nrecipient = \"{recipient}\"\nsigner = \"{signer}\"\n"
            );
            let config = json!({
                "meta": {"lastTouchedVersion": BEFORE},
                "gateway": {"auth": {"token": "canary-gateway-token"}},
            });
            nodes.write(name, ".openclaw/openclaw.json", &config.to_string());
        }
        nodes.peers = peers;
        for name in &nodes.names {
            nodes.manifest(name, policy, more);
        }
        nodes
    }

    /// Gives a node a manifest: see [`Nodes::new`].
    pub(crate) fn manifest(&self, name: &str, policy: &str, more: &str) {
        let more = more.replace("$NODE", name);
        let more = more.replace("$DIR", &self.folder.path().display().to_string());
        let head = format!("deployment.preset = \"openclaw\"\npolicy.name = \"{policy}\"\n");
        self.write(name, "precedent.toml", &format!("{head}{more}\n{}", self.peers));
    }

    /// The folder of the fleet: each node has one below it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program that knows this node's home and state, and nothing else.
    pub(crate) fn at_home(&self, command: &mut process::Command, name: &str) {
        command.env_clear().current_dir(self.path(name, ""));
        command.env("PATH", "/usr/bin:/bin").env("HOME", self.path(name, ""));
        command.env("NODE", name).env("PRECEDENT_STATE_DIR", self.path(name, "state"));
        command.env("PRECEDENT_CACHE_DIR", self.folder.path().join("compiled"));
    }

    pub(crate) fn path(&self, name: &str, path: &str) -> PathBuf {
        self.folder.path().join(name).join(path)
    }

    pub(crate) fn state(&self, name: &str) -> StateFolder {
        StateFolder::new(self.path(name, "state"))
    }

    pub(crate) fn write(&self, name: &str, path: &str, text: &str) {
        let path = self.path(name, path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Whole, for who reads at the same time.
        let file = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
        fs::write(file.path(), text).unwrap();
        file.persist(path).unwrap();
    }

    pub(crate) fn read(&self, name: &str, path: &str) -> String {
        fs::read_to_string(self.path(name, path)).unwrap()
    }

    /// Gives the agent `main` of a node a login that ends in so many hours, or ended before.
    pub(crate) fn log_in(&self, name: &str, access: &str, hours: i64) {
        let ends = i64::try_from(now_in_ms()).unwrap() + hours * i64::try_from(HOUR).unwrap();
        self.log_in_until(name, "main", access, ends);
    }

    /// Gives an agent of a node a login that ends then, in milliseconds since 1970; what would renew it ended.
    pub(crate) fn log_in_until(&self, name: &str, agent: &str, access: &str, ends: i64) {
        let login = json!({
            "type": "oauth", "provider": "openai-codex", "accountId": "acct-1",
            "access": access, "refresh": format!("canary-refresh-{name}"), "expires": ends,
            "refreshExpires": now_in_ms() - HOUR,
        });
        let store = json!({"version": 1, "profiles": {CODEX: login}});
        let path = format!(".openclaw/agents/{agent}/agent/auth-profiles.json");
        self.write(name, &path, &store.to_string());
    }

    /// The access token that the agent `main` of a node has.
    pub(crate) fn access(&self, name: &str) -> String {
        self.login(name, "main").0
    }

    /// The access token that an agent of a node has, and until when, in seconds since 1970.
    pub(crate) fn login(&self, name: &str, agent: &str) -> (String, u64) {
        let text = self.read(name, &format!(".openclaw/agents/{agent}/agent/auth-profiles.json"));
        let store: Value = serde_json::from_str(&text).unwrap();
        let login = &store["profiles"][CODEX];
        (login["access"].as_str().unwrap().to_owned(), login["expires"].as_u64().unwrap() / 1000)
    }

    /// Sets a clock ahead, or back.
    pub(crate) fn set_clock(&self, name: &str, seconds: i64) {
        self.clocks[name].store(seconds, Ordering::Relaxed);
    }

    pub(crate) fn host(&self, name: &str) -> Host {
        let off = Arc::clone(&self.clocks[name]);
        let clock = move || {
            let off = off.load(Ordering::Relaxed);
            let by = Duration::from_secs(off.unsigned_abs());
            if off < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
        };
        Host::builder()
            .manifest(self.path(name, "precedent.toml"))
            .journal(self.path(name, "state"))
            .cache(self.folder.path().join("compiled"))
            .world(Home(self.path(name, "")))
            .clock(clock)
            .verb("agent")
            .build()
            .unwrap()
    }

    /// What a node tells goes here.
    pub(crate) fn teller(&self, name: &str) -> impl Fn(&Happening<'_>) + use<> {
        let (told, name) = (Arc::clone(&self.told), name.to_owned());
        move |happening: &Happening<'_>| {
            let line = (name.clone(), happening.word().to_owned(), happening.to_string());
            told.lock().unwrap().push(line);
        }
    }

    pub(crate) fn agent<'a>(
        &self,
        name: &str,
        store: &'a dyn Store,
        tell: &'a dyn Fn(&Happening<'_>),
    ) -> Agent<'a> {
        Agent::new(self.host(name), store, Phase::Repair, tell).unwrap()
    }

    /// What was told of one kind, as `NODE: MESSAGE`.
    pub(crate) fn heard(&self, word: &str) -> Vec<String> {
        let told = self.told.lock().unwrap();
        let such = told.iter().filter(|(_, kind, _)| kind == word);
        such.map(|(name, _, message)| format!("{name}: {message}")).collect()
    }
}

fn now_in_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// The part of every manifest.
pub(crate) const FLEET: &str = r#"
[grants]
write = ["auth-profiles"]

[fleet]
name = "test"
endpoints = ["http://127.0.0.1:1"]
fingerprint-key = "$DIR/fleet.key"
send = ["auth-profiles"]
interval-seconds = 1
cut-off-seconds = 5
"#;

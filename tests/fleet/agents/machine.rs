//! Nodes as processes of their own: each with a home, a certificate, and lines to the members that can be cut.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use precedent::fleet::store::{Change, Etcd, Store, StoreError, Transaction};
use serde_json::Value;

use crate::{
    cluster::{Cluster, Line, MEMBERS, Node, spawn},
    node::Nodes,
};

pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_precedent");
pub(crate) const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];
/// The name of every fleet here.
const FLEET: &str = "test";
/// How long anything may take that should happen: this machine may be busy, and a node waits for a minute at most.
const PATIENCE: Duration = Duration::from_secs(150);

/// The part of every manifest that leads to the cluster; `$ENDPOINTS` are the node's lines.
const ACCESS: &str = r#"
[fleet]
name = "test"
endpoints = $ENDPOINTS
ca = "$CA"
certificate = "$CERTIFICATE"
key = "$KEY"
fingerprint-key = "$DIR/fleet.key"
interval-seconds = 1
"#;

/// Five nodes and their store. All that runs ends with it.
pub(crate) struct Machines {
    pub(crate) nodes: Nodes,
    pub(crate) cluster: Cluster,
    lines: BTreeMap<String, Vec<Line>>,
    agents: Mutex<BTreeMap<String, Child>>,
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|_| panic!("{self:?}"))
    }

    /// Whether it ended so, and says all of this.
    #[track_caller]
    pub(crate) fn ends(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        let text = format!("{}{}", self.stdout, self.stderr);
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in says {
            assert!(text.contains(words), "{words}\n{text}");
        }
    }
}

/// What stands in the store.
#[derive(Debug)]
pub(crate) struct Sight {
    pub(crate) leader: Option<String>,
    /// When each was written, and what it says.
    pub(crate) reports: BTreeMap<String, (u64, Value)>,
    pub(crate) assigned: BTreeMap<String, Value>,
    pub(crate) alive: BTreeSet<String>,
    pub(crate) sealed: Vec<String>,
    pub(crate) revision: u64,
}

impl Sight {
    /// Whether all do what is assigned to them, all is in order, and nothing is on its way; by reports since then.
    pub(crate) fn is_settled(&self, since: u64) -> bool {
        self.leader.is_some()
            && self.sealed.is_empty()
            && NAMES.iter().all(|name| {
                let report = self.reports.get(*name).filter(|(at, _)| *at > since);
                let assigned = self.assigned.get(*name);
                self.alive.contains(*name)
                    && report.zip(assigned).is_some_and(|((_, report), assigned)| {
                        report["state"] == "in-order"
                            && report["generation"] == assigned["generation"]
                    })
            })
    }
}

impl Machines {
    /// All nodes may lead, but the last one, and each has `more` in its manifest beside the way to the store.
    pub(crate) fn new(policy: &str, more: &str) -> Self {
        let cluster = Cluster::start();
        let told: Vec<_> = NAMES.iter().map(|name| Node { name, leads: *name != "e" }).collect();
        cluster.tell_apart(FLEET, &told);
        let line = |member| Line::to(cluster.port(member));
        let lines = NAMES
            .iter()
            .map(|name| ((*name).to_owned(), (0..MEMBERS).map(line).collect()))
            .collect();
        let nodes = Nodes::new(&NAMES, policy, "");
        let machines = Self { nodes, cluster, lines, agents: Mutex::default() };
        for name in NAMES {
            machines.manifest(name, policy, more);
        }
        fs::create_dir(machines.nodes.folder().join("outputs")).unwrap();
        machines
    }

    /// Gives a node a manifest. `more` goes on after the plain keys of `[fleet]`.
    pub(crate) fn manifest(&self, name: &str, policy: &str, more: &str) {
        let leaders = "leaders = [\"a\", \"b\", \"c\", \"d\"]\n";
        let access = self.cluster.access(name);
        let endpoints: Vec<String> = self.lines[name].iter().map(Line::endpoint).collect();
        let shown = |path: Option<PathBuf>| path.unwrap().display().to_string();
        let head = ACCESS
            .replace("$ENDPOINTS", &format!("{endpoints:?}"))
            .replace("$CA", &shown(access.ca))
            .replace("$CERTIFICATE", &shown(access.certificate))
            .replace("$KEY", &shown(access.key));
        self.nodes.manifest(name, policy, &format!("{head}{leaders}{more}"));
    }

    /// A text of a node's manifest in the place of another.
    pub(crate) fn edit(&self, name: &str, old: &str, new: &str) {
        let text = self.nodes.read(name, "precedent.toml");
        assert!(text.contains(old), "{old}\n{text}");
        self.nodes.write(name, "precedent.toml", &text.replace(old, new));
    }

    pub(crate) fn start_all(&self) {
        NAMES.iter().for_each(|name| self.start(name, &[]));
    }

    /// Starts the agent of a node, with these variables.
    pub(crate) fn start(&self, name: &str, variables: &[(&str, &str)]) {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", BIN, "agent", "--format", "json"]);
        self.nodes.at_home(&mut command, name);
        command.envs(variables.iter().copied()).stdin(Stdio::null());
        let out = File::options().create(true).append(true).open(self.output(name)).unwrap();
        command.stdout(out.try_clone().unwrap()).stderr(out);
        let before = self.agents().insert(name.to_owned(), spawn(command));
        assert!(before.is_none(), "an agent of {name} runs");
    }

    /// Kills the agent of a node as a power failure would.
    pub(crate) fn kill(&self, name: &str) {
        let child = self.agents().remove(name);
        let mut child = child.unwrap_or_else(|| panic!("no agent of {name} runs"));
        assert!(child.try_wait().unwrap().is_none(), "the agent of {name} ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn agents(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Child>> {
        self.agents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn lines(&self, name: &str) -> &[Line] {
        &self.lines[name]
    }

    /// Where all goes that an agent says, and that calls on a node say.
    fn output(&self, name: &str) -> PathBuf {
        self.nodes.folder().join("outputs").join(name)
    }

    /// All that was ever said on a node.
    pub(crate) fn said(&self, name: &str) -> String {
        fs::read_to_string(self.output(name)).unwrap_or_default()
    }

    /// A call on a node, which is killed where it takes for ever.
    pub(crate) fn run(&self, name: &str, args: &[&str]) -> Run {
        self.run_with(name, args, "")
    }

    pub(crate) fn run_with(&self, name: &str, args: &[&str], input: &str) -> Run {
        use std::io::Write;
        let mut child = self.begin(name, args);
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        self.end(name, child)
    }

    /// The same, while it runs.
    pub(crate) fn begin(&self, name: &str, args: &[&str]) -> Child {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", BIN]).args(args);
        self.nodes.at_home(&mut command, name);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        spawn(command)
    }

    /// Waits for its end.
    pub(crate) fn end(&self, name: &str, mut child: Child) -> Run {
        use std::io::Write;
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if began.elapsed() > PATIENCE {
                child.kill().unwrap();
            }
            thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (code, stdout, stderr) =
            (output.status.code(), text(output.stdout), text(output.stderr));
        let mut out = File::options().create(true).append(true).open(self.output(name)).unwrap();
        write!(out, "{stdout}{stderr}").unwrap();
        Run { code, stdout, stderr }
    }

    pub(crate) fn admin(&self) -> Etcd {
        self.cluster.connect("root")
    }

    /// Writes a key with a node's certificate, and what it may.
    pub(crate) fn put_as(&self, name: &str, key: &str, value: Vec<u8>) {
        let key = format!("/precedent/{FLEET}/{key}");
        self.cluster.connect(name).commit(Transaction::default().put(key, value)).unwrap();
    }

    /// What stands at a key.
    pub(crate) fn value(&self, key: &str) -> Option<Vec<u8>> {
        let entry = self.admin().get(&format!("/precedent/{FLEET}/{key}")).unwrap();
        entry.map(|entry| entry.value)
    }

    pub(crate) fn look(&self, store: &Etcd) -> Result<Sight, StoreError> {
        let root = format!("/precedent/{FLEET}/");
        let mut sight = Sight {
            leader: None,
            reports: BTreeMap::new(),
            assigned: BTreeMap::new(),
            alive: BTreeSet::new(),
            sealed: Vec::new(),
            revision: 0,
        };
        let listing = store.list(&root)?;
        sight.revision = listing.revision;
        for entry in listing.entries {
            let key = entry.key.strip_prefix(&root).unwrap();
            let (kind, name) = key.split_once('/').unwrap_or((key, ""));
            let name = name.trim_end_matches('/').to_owned();
            let text = String::from_utf8(entry.value).unwrap();
            let first = text.lines().next().unwrap_or_default();
            let document = || serde_json::from_str(first).unwrap_or(Value::Null);
            match kind {
                "leader" => sight.leader = Some(first.to_owned()),
                "reports" => drop(sight.reports.insert(name, (entry.changed, document()))),
                "assignments" => drop(sight.assigned.insert(name, document())),
                "alive" => drop(sight.alive.insert(name)),
                "sealed" => sight.sealed.push(name),
                _ => {}
            }
        }
        Ok(sight)
    }

    /// Waits until something is so; how long that took.
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&Sight) -> bool) -> Duration {
        let began = Instant::now();
        let store = self.admin();
        loop {
            let sight = self.look(&store);
            if sight.as_ref().is_ok_and(&is_so) {
                return began.elapsed();
            }
            if began.elapsed() > PATIENCE {
                for name in NAMES {
                    let said = self.said(name);
                    let lines: Vec<&str> = said.lines().rev().take(12).collect();
                    println!("{name}:");
                    lines.iter().rev().for_each(|line| println!("  {line}"));
                }
                for (name, (at, report)) in sight.iter().flat_map(|sight| &sight.reports) {
                    let (state, generation) = (&report["state"], &report["generation"]);
                    println!("{name} at {at}: {state} of {generation}, {}", report["at"]);
                }
                for (name, assigned) in sight.iter().flat_map(|sight| &sight.assigned) {
                    let terms = (&assigned["generation"], &assigned["decided"], &assigned["sends"]);
                    println!("assigned to {name}: {terms:?}");
                }
                let rest = sight.map(|sight| (sight.leader, sight.alive, sight.sealed));
                panic!("not within {PATIENCE:?}: {what}; {rest:?}");
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until all is in order by what the nodes say from now on, and this is so too.
    pub(crate) fn settle(&self, what: &str, also: impl Fn() -> bool) -> Duration {
        let began = Instant::now();
        let mut since = self.look(&self.admin());
        while since.is_err() && began.elapsed() < PATIENCE {
            since = self.look(&self.admin());
        }
        let since = since.unwrap().revision;
        self.wait(what, |sight| sight.is_settled(since) && also());
        began.elapsed()
    }

    pub(crate) fn leader(&self) -> String {
        self.wait("somebody is elected", |sight| sight.leader.is_some());
        self.look(&self.admin()).unwrap().leader.unwrap()
    }

    /// What every scenario ends with: one leader, nothing sealed left, no secret in clear anywhere: not in what
    /// was ever written to the store, and not in what was ever said. Gives back how much was searched.
    pub(crate) fn is_clean(&self) -> String {
        let store = self.admin();
        let now = store.list("/").unwrap();
        let named = |what: &str| now.entries.iter().filter(|one| one.key.contains(what)).count();
        assert_eq!(named("/leader"), 1);
        assert_eq!(named("/sealed/"), 0, "{:?}", now.entries);
        let (mut after, mut writes, mut sealed) = (1, 0, 0);
        let mut search = |entry: &precedent::fleet::store::Entry| {
            let text = String::from_utf8_lossy(&entry.value);
            assert!(!text.contains("canary-") && !entry.key.contains("canary-"), "{}", entry.key);
            if entry.key.contains("/sealed/") {
                assert!(text.contains("AGE ENCRYPTED"), "{}", entry.key);
                sealed += 1;
            }
            writes += 1;
        };
        now.entries.iter().for_each(&mut search);
        while after < now.revision {
            let changes = store.wait("/", after, Duration::from_secs(5)).unwrap();
            assert!(changes.revision > after, "the past is kept");
            after = changes.revision;
            for change in changes.changes {
                if let Change::Put(entry) = change {
                    search(&entry);
                }
            }
        }
        let mut lines = 0;
        for name in NAMES {
            let said = self.said(name);
            assert!(!said.contains("canary-"), "{name}: {said}");
            lines += said.lines().count();
        }
        format!("{writes} values of the store ({sealed} sealed) and {lines} lines searched")
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for child in self.agents().values_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

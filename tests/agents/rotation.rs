//! A new secret on every node while programs call each other all the time: nobody is refused, wherever it
//! stops, and it goes on, or back.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use precedent::fleet::{
    Direction, Driver, FleetError, Roster, Rotation, RotationFault, Space, Stage, Start, Store,
    fleet_key,
    store::{MemoryStore, Transaction},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::node::{Home, Nodes};

const OLD: &str = "canary-gateway-token-old";
const NEW: &str = "canary-gateway-token-new";
const CONFIG: &str = ".openclaw/openclaw.json";

const MANIFEST: &str = r#"
[grants]
write = ["config.auth-token", "config.remote-token", "server.next"]
remove = ["server.next"]

[[locations]]
name = "server.next"
credential = "gateway-token"
document = "config"
pointer = "/gateway/auth/tokenNext"

[fleet]
name = "test"
endpoints = ["http://127.0.0.1:1"]
fingerprint-key = "$DIR/fleet.key"
interval-seconds = 1

[fleet.rotation]
accepts = ["server.next"]
after = ["sh", "-c", "test ! -e $DIR/$NODE/broken && cp $DIR/$NODE/.openclaw/openclaw.json $DIR/$NODE/read"]
"#;

/// What the servers of a node read last: they read when they are told to.
fn accepted(nodes: &Nodes, name: &str) -> (String, Option<String>) {
    let path = nodes.path(name, "read");
    let text = std::fs::read_to_string(path).unwrap_or_else(|_| nodes.read(name, CONFIG));
    let config: Value = serde_json::from_str(&text).unwrap_or_else(|_| config(nodes, name));
    let auth = &config["gateway"]["auth"];
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    (text(&auth["token"]).unwrap(), text(&auth["tokenNext"]))
}

/// Stops what runs until it is told to.
struct Stops<'s>(&'s AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Nodes with agents that run, and programs on each that call the servers of all.
struct Running<'n> {
    nodes: &'n Nodes,
    store: MemoryStore,
    refused: Arc<AtomicU64>,
    calls: Arc<AtomicU64>,
}

fn nodes() -> Nodes {
    let nodes = Nodes::new(&["a", "b", "c"], "binary", MANIFEST);
    for name in &nodes.names {
        let config = json!({
            "meta": {"lastTouchedVersion": "2026.7.35"},
            "gateway": {"mode": "local", "auth": {"token": OLD}, "remote": {"token": OLD}},
        });
        nodes.write(name, CONFIG, &config.to_string());
    }
    nodes
}

fn config(nodes: &Nodes, name: &str) -> Value {
    serde_json::from_str(&nodes.read(name, CONFIG)).unwrap()
}

/// What the servers of a node accept, and what its programs have.
fn tokens(nodes: &Nodes, name: &str) -> (String, Option<String>, String) {
    let config = config(nodes, name);
    let gateway = &config["gateway"];
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    (
        text(&gateway["auth"]["token"]).unwrap(),
        text(&gateway["auth"]["tokenNext"]),
        text(&gateway["remote"]["token"]).unwrap(),
    )
}

impl Running<'_> {
    /// Has agents and programs run while something is done; `some` are the nodes whose agents do.
    fn during<T>(&self, some: &[&str], work: impl FnOnce(&Self) -> T) -> T {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            // However it ends: the threads are waited for.
            let _stops = Stops(&stop);
            for name in some {
                let (store, stop) = (self.store.clone(), &stop);
                scope.spawn(move || {
                    let tell = self.nodes.teller(name);
                    self.nodes.agent(name, &store, &tell).run(stop);
                });
            }
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    self.call_all();
                    thread::sleep(Duration::from_millis(1));
                }
            });
            self.are_there(some.len());
            work(self)
        })
    }

    /// Waits until all agents have published something and are alive.
    fn are_there(&self, count: usize) {
        for prefix in ["/precedent/test/reports/", "/precedent/test/alive/"] {
            let begun = Instant::now();
            while self.store.list(prefix).unwrap().entries.len() < count {
                assert!(begun.elapsed() < Duration::from_secs(60), "{prefix}");
                thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn call_all(&self) {
        let names = &self.nodes.names;
        for client in names {
            let (_, _, token) = tokens(self.nodes, client);
            for server in names {
                let (own, also) = accepted(self.nodes, server);
                self.calls.fetch_add(1, Ordering::Relaxed);
                if token != own && Some(&token) != also.as_ref() {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    fn driver<T>(&self, from: &str, patience: u64, drive: impl FnOnce(&Driver<'_>) -> T) -> T {
        let host = self.nodes.host(from);
        let identity = self.nodes.state(from).identity().unwrap().unwrap();
        let roster = Roster::of(host.deployment(), &identity).unwrap();
        let key = fleet_key(host.deployment(), &Home(self.nodes.path(from, ""))).unwrap();
        drive(&Driver {
            store: &self.store,
            space: &Space::new("test"),
            roster: &roster,
            identity: &identity,
            key: &key,
            now: host.installation().now(),
            at_once: 1,
            patience: Duration::from_secs(patience),
            tell: &|_| {},
        })
    }

    fn begin(&self, from: &str, patience: u64) -> Result<Rotation, FleetError> {
        let secret = SecretString::from(NEW);
        let start = Start { secret: &secret, deployment: "openclaw", without: &[] };
        self.driver(from, patience, |driver| driver.begin("gateway-token", &start))
    }

    fn everywhere(&self) -> BTreeSet<(String, Option<String>, String)> {
        self.nodes.names.iter().map(|name| tokens(self.nodes, name)).collect()
    }

    /// Nobody was refused, nothing lies in the store that was for one node, and no secret ever did.
    fn is_clean(&self) {
        assert!(self.calls.load(Ordering::Relaxed) > 100);
        assert_eq!(self.refused.load(Ordering::Relaxed), 0);
        let sealed = self.store.list("/precedent/test/sealed/").unwrap();
        assert!(sealed.entries.is_empty(), "{sealed:?}");
        for entry in self.store.read_everything() {
            assert!(!String::from_utf8_lossy(&entry.value).contains("canary-"), "{}", entry.key);
        }
    }
}

fn running(nodes: &Nodes) -> Running<'_> {
    Running { nodes, store: MemoryStore::default(), refused: Arc::default(), calls: Arc::default() }
}

fn only(main: &str) -> BTreeSet<(String, Option<String>, String)> {
    BTreeSet::from([(main.to_owned(), None, main.to_owned())])
}

#[test]
fn a_secret_is_rotated_everywhere_and_nobody_is_refused() {
    let nodes = nodes();
    let running = running(&nodes);
    let rotation = running.during(&["a", "b", "c"], |running| running.begin("a", 30).unwrap());
    assert!(rotation.is_over());
    assert_eq!(rotation.direction, Direction::Forward);
    assert_eq!(running.everywhere(), only(NEW), "{:#?}", nodes.told.lock().unwrap());
    running.is_clean();
}

/// What has the gateway of one node read its secret anew fails: it stops there, everything works, and once
/// that is mended it goes on.
#[test]
fn it_stops_at_the_first_failure_and_is_resumed_from_another_node() {
    let nodes = nodes();
    let running = running(&nodes);
    running.during(&["a", "b", "c"], |running| {
        nodes.write("b", "broken", "");
        let error = running.begin("a", 30).unwrap_err().to_string();
        assert!(error.contains("stopped at `accept`: b: "), "{error}");
        assert!(error.contains("ended with 1"), "{error}");
        let again = running.begin("a", 30).unwrap_err().to_string();
        assert!(again.contains("a rotation of gateway-token is under way"), "{again}");
        std::fs::remove_file(nodes.path("b", "broken")).unwrap();
        let rotation =
            running.driver("c", 30, |driver| driver.resume("gateway-token", &[])).unwrap();
        assert!(rotation.is_over());
    });
    // What the gateway read last is what stands there: also at the node where that failed at first.
    for name in &nodes.names {
        assert_eq!(nodes.read(name, "read"), nodes.read(name, CONFIG), "{name}");
    }
    assert_eq!(running.everywhere(), only(NEW), "{:#?}", nodes.told.lock().unwrap());
    running.is_clean();
}

/// One node is gone in the middle: those before it have the new one, it and those after it the old; then back.
#[test]
fn it_goes_back_node_by_node() {
    let nodes = nodes();
    let running = running(&nodes);
    running.during(&["a", "b", "c"], |running| {
        let broken = thread::scope(|scope| {
            // Not before the new one is accepted everywhere.
            scope.spawn(|| {
                while nodes.names.iter().any(|name| tokens(&nodes, name).1.is_none()) {
                    thread::sleep(Duration::from_millis(1));
                }
                nodes.write("c", "broken", "");
            });
            running.begin("a", 30).unwrap_err()
        });
        let FleetError::Rotation(RotationFault::Stopped { stage, .. }) = &broken else {
            panic!("{broken}")
        };
        assert!([Stage::Accept, Stage::Use].contains(stage), "{broken}");
        std::fs::remove_file(nodes.path("c", "broken")).unwrap();
        let rotation = running.driver("b", 30, |driver| driver.undo("gateway-token", &[])).unwrap();
        assert_eq!((rotation.is_over(), rotation.direction), (true, Direction::Back));
    });
    assert_eq!(running.everywhere(), only(OLD), "{:#?}", nodes.told.lock().unwrap());
    running.is_clean();
}

#[test]
fn a_node_that_is_not_there_is_named_and_nothing_begins() {
    let nodes = nodes();
    let running = running(&nodes);
    running.during(&["a", "b"], |running| {
        let error = running.begin("a", 30).unwrap_err().to_string();
        assert_eq!(
            error,
            "c cannot take part: no agent runs there; mend that, or leave it out with --without, and it is locked out"
        );
        let none = running.driver("a", 30, |driver| driver.resume("gateway-token", &[])).unwrap_err();
        assert_eq!(none.to_string(), "no rotation of gateway-token is under way");
    });
    assert_eq!(running.everywhere(), only(OLD));
    running.is_clean();
}

/// Whoever can write to the store brings back a rotation that is over, with all that was sealed for it.
#[test]
fn a_rotation_that_is_over_cannot_be_brought_back() {
    let nodes = nodes();
    let running = running(&nodes);
    running.during(&["a", "b", "c"], |running| {
        let over = running.begin("a", 30).unwrap().id;
        let secret = SecretString::from("canary-gateway-token-newer");
        let start = Start { secret: &secret, deployment: "openclaw", without: &[] };
        running.driver("a", 30, |driver| driver.begin("gateway-token", &start)).unwrap();
        let everything = running.store.read_everything();
        let key = format!("/precedent/test/sealed/b/rotation-{over}");
        let first = everything.iter().find(|entry| entry.key == key).unwrap();
        let id = over.as_str();
        let of_first = |entry: &&precedent::fleet::store::Entry| {
            entry.key.contains("/rotations/") && String::from_utf8_lossy(&entry.value).contains(id)
        };
        running.store.commit(Transaction::default().put(&first.key, first.value.clone())).unwrap();
        // The one that says that it is everybody's turn to accept, for longer than an agent looks away.
        let says = |entry: &&precedent::fleet::store::Entry| {
            let text = String::from_utf8_lossy(&entry.value);
            text.contains("\"stage\":\"accept\"") && text.contains("\"turn\":[\"a\"")
        };
        let accept = everything.iter().filter(of_first).find(says).unwrap();
        let put = Transaction::default().put(&accept.key, accept.value.clone());
        running.store.commit(put).unwrap();
        thread::sleep(Duration::from_secs(4));
        running.store.commit(Transaction::default().remove(&first.key)).unwrap();
    });
    assert_eq!(running.everywhere(), only("canary-gateway-token-newer"));
    running.is_clean();
}

/// A node that only looks cannot take part, and says so before anybody uses the new one.
#[test]
fn an_audited_node_stops_it() {
    let nodes = nodes();
    let text = nodes.read("c", "precedent.toml");
    nodes.write("c", "precedent.toml", &format!("deployment.mode = \"audit\"\n{text}"));
    let running = running(&nodes);
    running.during(&["a", "b", "c"], |running| {
        let error = running.begin("a", 30).unwrap_err().to_string();
        assert!(error.contains("c: this deployment is audited"), "{error}");
        running.driver("a", 30, |driver| driver.undo("gateway-token", &[])).unwrap();
    });
    assert_eq!(running.everywhere(), only(OLD));
    running.is_clean();
}

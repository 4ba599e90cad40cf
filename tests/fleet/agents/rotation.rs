//! A new secret on five nodes while their programs call one another all the time: nobody is refused, whoever is
//! killed in the middle.

use std::{
    collections::BTreeSet,
    fs,
    process::Child,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::machine::{Machines, NAMES, Run};
use crate::cluster::{MEMBERS, alone};

const CONFIG: &str = ".openclaw/openclaw.json";

const MANIFEST: &str = r#"
[fleet.rotation]
accepts = ["server.next"]
after = ["sh", "-c", "test ! -e broken && cp .openclaw/openclaw.json read.new && mv read.new read"]

[grants]
write = ["config.auth-token", "config.remote-token", "server.next"]
remove = ["server.next"]

[[locations]]
name = "server.next"
credential = "gateway-token"
document = "config"
pointer = "/gateway/auth/tokenNext"
"#;

/// What the servers of a node accept, and what its programs have.
type Tokens = (String, Option<String>, String);

struct Rotating<'r> {
    machines: &'r Machines,
    calls: AtomicU64,
    refused: AtomicU64,
}

impl Rotating<'_> {
    fn tokens(&self, name: &str) -> Tokens {
        self.tokens_in(name, CONFIG)
    }

    fn tokens_in(&self, name: &str, path: &str) -> Tokens {
        let config: Value = serde_json::from_str(&self.machines.nodes.read(name, path)).unwrap();
        let gateway = &config["gateway"];
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        (
            text(&gateway["auth"]["token"]).unwrap(),
            text(&gateway["auth"]["tokenNext"]),
            text(&gateway["remote"]["token"]).unwrap(),
        )
    }

    /// Programs of all nodes call the servers of all nodes, which accept what they read when they were last told to.
    fn call_all(&self) {
        for client in NAMES {
            let (_, _, token) = self.tokens(client);
            for server in NAMES {
                let (own, also, _) = self.tokens_in(server, "read");
                self.calls.fetch_add(1, Ordering::Relaxed);
                if token != own && Some(&token) != also.as_ref() {
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Begins from a node with a secret.
    fn begin(&self, name: &str, secret: &str) -> Child {
        use std::io::Write;
        let mut child = self.machines.begin(name, &["fleet", "rotate", "--stdin"]);
        child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
        child
    }

    fn rotate(&self, name: &str, secret: &str) -> Run {
        let child = self.begin(name, secret);
        self.machines.end(name, child)
    }

    /// Goes on, or back, from a node, as soon as nobody else is at it.
    fn go_on(&self, name: &str, way: &str) -> Run {
        let began = Instant::now();
        loop {
            let run = self.machines.run(name, &["fleet", "rotate", way]);
            let is_busy = run.stderr.contains("is at it since");
            let is_cut_off = run.stderr.contains("the store cannot be reached");
            if !(is_busy || is_cut_off) || began.elapsed() > Duration::from_secs(60) {
                return run;
            }
            assert_eq!(run.code, Some(3), "{run:?}");
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// How the rotation stands: its step, and whose turn it is.
    fn stands(&self) -> Option<(String, Vec<String>)> {
        let text = String::from_utf8(self.machines.value("rotations/gateway-token")?).unwrap();
        let rotation: Value = serde_json::from_str(text.lines().next()?).ok()?;
        let turn = rotation["turn"].as_array()?.iter().filter_map(Value::as_str);
        Some((rotation["stage"].as_str()?.to_owned(), turn.map(str::to_owned).collect()))
    }

    fn wait_for(&self, stage: &str, node: &str) {
        let began = Instant::now();
        loop {
            let stands = self.stands();
            let is_there = |(at, turn): &(String, Vec<String>)| {
                at == stage && turn.iter().any(|one| one == node)
            };
            if stands.as_ref().is_some_and(is_there) {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "{stage} of {node}: {stands:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn everywhere(&self, secret: &str) {
        let all: BTreeSet<Tokens> = NAMES.iter().map(|name| self.tokens(name)).collect();
        let only = (secret.to_owned(), None, secret.to_owned());
        assert_eq!(all, BTreeSet::from([only.clone()]));
        for name in NAMES {
            assert_eq!(
                self.tokens_in(name, "read"),
                only,
                "{name} has it in its file, and did not read it"
            );
        }
        assert_eq!(self.refused.load(Ordering::Relaxed), 0, "refused");
    }
}

#[test]
fn a_secret_is_rotated_whoever_is_killed_and_nobody_is_refused() {
    let _alone = alone();
    let machines = Machines::new("binary", MANIFEST);
    for name in NAMES {
        let token = "canary-gateway-token-0";
        let config = json!({
            "meta": {"lastTouchedVersion": "2026.7.35"},
            "gateway": {"mode": "local", "auth": {"token": token}, "remote": {"token": token}},
        });
        machines.nodes.write(name, CONFIG, &config.to_string());
        machines.nodes.write(name, "read", &config.to_string());
    }
    let rotating =
        Rotating { machines: &machines, calls: AtomicU64::new(0), refused: AtomicU64::new(0) };
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                rotating.call_all();
                thread::sleep(Duration::from_millis(5));
            }
        });
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| all(&rotating)));
        stop.store(true, Ordering::Relaxed);
        if let Err(panic) = ended {
            std::panic::resume_unwind(panic);
        }
    });
    let calls = rotating.calls.load(Ordering::Relaxed);
    assert!(calls > 1000 && rotating.refused.load(Ordering::Relaxed) == 0);
    println!("{calls} calls, none refused; {}", machines.is_clean());
}

fn all(rotating: &Rotating<'_>) {
    let machines = rotating.machines;
    machines.start_all();
    machines.settle("at the beginning", || true);
    let timed = |what: &str, began: Instant| println!("{what}: {:?}", began.elapsed());

    let began = Instant::now();
    machines.run("e", &["fleet", "rotate"]).ends(1, &["e is none of the leaders"]);
    machines.run("a", &["fleet", "rotate", "--dry-run"]).ends(
        0,
        &["1. accept all at once: a, b, c, d, e", "2. use 1 at a time", "nothing was done"],
    );
    rotating.rotate("a", "canary-gateway-token-1").ends(
        0,
        &[
            "accept",
            "✓ e",
            "use",
            "retire",
            "done: the new one is used everywhere, and the old one nowhere",
        ],
    );
    rotating.everywhere("canary-gateway-token-1");
    timed("all well", began);

    driver_killed(rotating, &timed);
    agents_killed(rotating, &timed);
    failed_and_undone(rotating, &timed);
    store_stopped(rotating, &timed);
}

type Timed<'t> = &'t dyn Fn(&str, Instant);

/// Who rotates is killed at several moments, and another node goes on.
fn driver_killed(rotating: &Rotating<'_>, timed: Timed<'_>) {
    let points = [("use", "d", 50), ("retire", "a", 0)];
    for (number, (stage, node, after)) in (2..).zip(points) {
        let began = Instant::now();
        let secret = format!("canary-gateway-token-{number}");
        let mut child = rotating.begin("a", &secret);
        rotating.wait_for(stage, node);
        thread::sleep(Duration::from_millis(after));
        child.kill().unwrap();
        child.wait().unwrap();
        if stage == "use" {
            let status = rotating.machines.run("b", &["fleet", "status"]);
            status.ends(4, &["Rotation of gateway-token", "at `use`, since 20", "from a"]);
            let again = rotating.rotate("c", "canary-another-gateway-token");
            assert!([1, 3].contains(&again.code.unwrap()), "{again:?}");
        }
        let run = rotating.go_on("d", "--resume");
        run.ends(0, &["done: the new one is used everywhere"]);
        rotating.everywhere(&secret);
        timed(&format!("driver killed {after} ms after {stage} of {node}"), began);
    }
    // Before anything is known of it: it is there whole, or not at all.
    for (number, after) in [30, 400].into_iter().enumerate() {
        let began = Instant::now();
        let secret = format!("canary-gateway-token-early-{number}");
        let mut child = rotating.begin("b", &secret);
        let is_begun = || rotating.machines.value("guards/rotate%2Fgateway-token").is_some();
        while !is_begun() && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(after));
        child.kill().unwrap();
        child.wait().unwrap();
        let before = rotating.tokens("c").0;
        let way = if number % 2 == 0 { "--undo" } else { "--resume" };
        let run = rotating.go_on("c", way);
        let word = match run.code {
            Some(0) if way == "--undo" => {
                rotating.everywhere(&before);
                "was under way, and is undone"
            }
            Some(0) => {
                rotating.everywhere(&secret);
                "was under way, and is done"
            }
            _ => {
                run.ends(2, &["no rotation of gateway-token is under way"]);
                rotating.everywhere(&before);
                "had not begun"
            }
        };
        let left = rotating.machines.look(&rotating.machines.admin()).unwrap().sealed;
        assert!(left.is_empty(), "{left:?}");
        timed(
            &format!("driver killed {after} ms after it had its turn, the rotation {word}"),
            began,
        );
    }
}

/// Agents are killed when it is their turn, and started again.
fn agents_killed(rotating: &Rotating<'_>, timed: Timed<'_>) {
    for (number, (stage, node)) in [("use", "c"), ("accept", "b")].into_iter().enumerate() {
        let began = Instant::now();
        let secret = format!("canary-gateway-token-agent-{number}");
        let child = rotating.begin("a", &secret);
        rotating.wait_for(stage, node);
        for after in [0, 40, 150, 300] {
            thread::sleep(Duration::from_millis(after));
            rotating.machines.kill(node);
            rotating.machines.start(node, &[]);
        }
        let run = rotating.machines.end("a", child);
        run.ends(0, &["done"]);
        rotating.everywhere(&secret);
        timed(&format!("agent killed 4 times in {stage} of {node}"), began);
    }
}

/// What has a gateway read its secrets anew fails.
fn failed_and_undone(rotating: &Rotating<'_>, timed: Timed<'_>) {
    let before = rotating.tokens("a").0;
    let machines = rotating.machines;
    let began = Instant::now();
    let child = rotating.begin("a", "canary-gateway-token-undone");
    rotating.wait_for("use", "a");
    machines.nodes.write("d", "broken", "");
    rotating.wait_for("use", "b");
    for after in [30, 100, 200] {
        thread::sleep(Duration::from_millis(after));
        machines.kill("b");
        machines.start("b", &[]);
    }
    let run = machines.end("a", child);
    run.ends(
        3,
        &[
            "stopped at `use`: d: ",
            "ended with 1",
            "everything that worked still does",
            "--undo goes back",
        ],
    );
    let status = machines.run("e", &["fleet", "status"]);
    status.ends(
        4,
        &["stopped: d: ", "precedent fleet rotate --credential gateway-token --resume, or --undo"],
    );
    let again = rotating.rotate("b", "canary-another-gateway-token");
    again.ends(1, &["a rotation of gateway-token is under way since 20", "--resume", "--undo"]);
    // Still broken.
    rotating.go_on("b", "--resume").ends(3, &["stopped at `use`: d: "]);
    fs::remove_file(machines.nodes.path("d", "broken")).unwrap();
    rotating
        .go_on("c", "--undo")
        .ends(0, &["undo use", "went back: the old one is used everywhere"]);
    rotating.everywhere(&before);
    timed("failed at the fourth node, and undone", began);
}

/// The store is gone for a while in the middle.
fn store_stopped(rotating: &Rotating<'_>, timed: Timed<'_>) {
    let cluster = &rotating.machines.cluster;
    let began = Instant::now();
    let secret = "canary-gateway-token-last";
    let child = rotating.begin("a", secret);
    rotating.wait_for("use", "b");
    (0..MEMBERS).for_each(|member| cluster.kill(member));
    thread::sleep(Duration::from_secs(5));
    (0..MEMBERS).for_each(|member| cluster.run(member));
    cluster.wait_until_well();
    let run = rotating.machines.end("a", child);
    if run.code != Some(0) {
        run.ends(3, &["the store cannot be reached"]);
        rotating.go_on("b", "--resume").ends(0, &["done"]);
    }
    rotating.everywhere(secret);
    rotating.machines.settle("after the last rotation", || true);
    rotating.machines.run("e", &["fleet", "status"]).ends(0, &["in order"]);
    timed(&format!("the store stopped for 5 s in the middle, code {:?}", run.code), began);
}

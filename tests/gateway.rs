//! `examples/gateway`, as a process: policies swapped under load, a token rotated live, and what keeps it
//! from starting.

mod client;

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{NEW, OLD, Sandbox, TOKEN, fixture, hostile, root};
use client::Client;

/// Both policies would bring the copies into agreement; audited, they stay apart, so that each policy has
/// a token of its own.
const AUDITED: &str = r#"
deployment = { preset = "openclaw", mode = "audit" }
policy.file = "policy.wasm"
grants.write = ["config.auth-token", "config.remote-token"]
limits.deadline-ms = 1000
"#;

/// How long anything may take here.
const LONG: Duration = Duration::from_secs(60);

/// The example, built once.
fn program() -> &'static PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "--package", "example-gateway"])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Path::new(env!("CARGO_TARGET_TMPDIR")).join("../debug/example-gateway")
    })
}

/// A gateway that runs; it is ended with the test.
struct Gateway<'s> {
    sandbox: &'s Sandbox,
    process: Option<Child>,
    stderr: Option<BufReader<std::process::ChildStderr>>,
    address: String,
}

fn policy(sandbox: &Sandbox) -> PathBuf {
    sandbox.path("home/policy.wasm")
}

/// In the place of the old one in one step, as an operator should.
fn put(sandbox: &Sandbox, bytes: &[u8]) {
    let beside = sandbox.path("home/policy.new");
    fs::write(&beside, bytes).unwrap();
    fs::rename(beside, policy(sandbox)).unwrap();
}

fn command(sandbox: &Sandbox, arguments: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.env_clear().envs(sandbox.variables()).current_dir(sandbox.path("home"));
    command.args(["--manifest", "precedent.toml", "--policy", "policy.wasm", "--every", "20"]);
    command.arg("--state").arg(sandbox.path("state")).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A gateway that does not start, and what it says.
fn refused(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, String) {
    let mut process = command(sandbox, arguments).spawn().unwrap();
    let until = Instant::now() + LONG;
    while process.try_wait().unwrap().is_none() && Instant::now() < until {
        thread::sleep(Duration::from_millis(5));
    }
    // One that started after all says what it listens on, and has no exit code.
    let _ = process.kill();
    let output = process.wait_with_output().unwrap();
    sandbox.hear(&output);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

impl<'s> Gateway<'s> {
    fn start(sandbox: &'s Sandbox, arguments: &[&str]) -> Self {
        let mut process = command(sandbox, arguments).spawn().unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut said = String::new();
        let address = loop {
            let start = said.len();
            assert!(stderr.read_line(&mut said).unwrap() > 0, "it ended: {said}");
            if let Some((_, address)) = said[start..].split_once("listening on ") {
                break address.trim().to_owned();
            }
        };
        Self { sandbox, process: Some(process), stderr: Some(stderr), address }
    }

    fn client(&self) -> Client {
        Client::open(&self.address)
    }

    fn status(&self) -> Value {
        let (code, document) = self.client().get("/status", None);
        assert_eq!(code, 200);
        document
    }

    /// Waits until the status is as it should be.
    fn wait(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + LONG;
        loop {
            let status = self.status();
            if is_so(&status) {
                return status;
            }
            assert!(Instant::now() < until, "not {what}: {status:#}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks it to end, and searches what it said.
    fn end(mut self) -> String {
        let mut process = self.process.take().unwrap();
        let pid = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let mut stderr = Vec::new();
        self.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        let status = process.wait().unwrap();
        assert!(status.success(), "{status}");
        let said = String::from_utf8_lossy(&stderr).into_owned();
        self.sandbox.hear(&Output { status, stdout: Vec::new(), stderr });
        said
    }
}

impl Drop for Gateway<'_> {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The variable holds one token, the configuration another: the policy helm takes the one, the policy
/// binary the other.
fn two_minds() -> Sandbox {
    let config = format!(r#"{{"gateway":{{"mode":"local","auth":{{"token":"{OLD}"}}}}}}"#);
    let sandbox = Sandbox::with_config(&config);
    fs::write(sandbox.path("home/precedent.toml"), AUDITED).unwrap();
    put(&sandbox, &helm());
    sandbox
}

fn helm() -> Vec<u8> {
    fs::read(fixture::build("precedent-policy-helm", None)).unwrap()
}

fn binary() -> Vec<u8> {
    fs::read(fixture::build("precedent-policy-binary", None)).unwrap()
}

/// Two policies in turn, under the load of connections that stay open: no request fails, and each is
/// served under one policy with its own token. What is no policy for this gateway changes nothing.
#[test]
fn policies_are_swapped_under_load() {
    const CLIENTS: usize = 16;
    let sandbox = two_minds();
    let gateway = Gateway::start(&sandbox, &[]);
    let first = gateway.status();
    let from = |status: &Value| status["token"]["from"].as_str().unwrap().to_owned();
    assert_eq!(from(&first), "env.gateway-token");
    let is_over = AtomicBool::new(false);
    let asked = AtomicU32::new(0);
    let hostile = hostile::all();
    let seen = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let mut client = gateway.client();
                scope.spawn({
                    let (is_over, asked) = (&is_over, &asked);
                    move || {
                        let mut seen = BTreeSet::new();
                        while !is_over.load(Ordering::SeqCst) {
                            // The token that it was opened with, whatever has come since.
                            let (code, served) = client.get("/session", Some(NEW));
                            assert_eq!(code, 200, "{served}");
                            let part = |part: &str| served[part].as_str().unwrap().to_owned();
                            seen.insert((part("policy"), part("from"), part("token")));
                            asked.fetch_add(1, Ordering::SeqCst);
                            // The machine is the gateway's too.
                            thread::sleep(Duration::from_millis(1));
                        }
                        seen
                    }
                })
            })
            .collect();
        // Each has been let in before the token is another.
        let until = Instant::now() + LONG;
        while (asked.load(Ordering::SeqCst) as usize) < 10 * CLIENTS {
            assert!(Instant::now() < until);
            thread::yield_now();
        }
        for round in 0..10 {
            let (bytes, name, place) = if round % 2 == 0 {
                (binary(), "binary", "config.auth-token")
            } else {
                (helm(), "helm", "env.gateway-token")
            };
            put(&sandbox, &bytes);
            gateway.wait(name, |status| {
                status["policy"]["active"]["name"] == name && from(status) == place
            });
            let bad = &hostile[round * 5 % hostile.len()];
            put(&sandbox, &bad.component);
            let status = gateway.wait(&bad.name, |status| !status["policy"]["rejected"].is_null());
            let reason = status["policy"]["rejected"]["reason"].as_str().unwrap();
            assert!(!reason.is_empty());
            assert_eq!(status["policy"]["active"]["name"], name, "{}", bad.name);
        }
        is_over.store(true, Ordering::SeqCst);
        let seen = clients.into_iter().flat_map(|client| client.join().unwrap());
        seen.collect::<BTreeSet<_>>()
    });
    // One token for each policy, and never the one with the other.
    assert_eq!(seen.len(), 2, "{seen:?}");
    let places: BTreeSet<&str> = seen.iter().map(|(_, from, _)| from.as_str()).collect();
    assert_eq!(places, BTreeSet::from(["config.auth-token", "env.gateway-token"]));
    let policies: BTreeSet<&str> = seen.iter().map(|(policy, ..)| policy.as_str()).collect();
    assert_eq!(policies.len(), 2);
    println!(
        "SWAPPED: 10 times under {CLIENTS} connections, {} requests, 0 failed",
        asked.into_inner()
    );
    gateway.end();
}

/// What stands in the place of the policy: which one decides, and why the other does not, is in the status.
#[test]
fn the_last_good_policy_stays() {
    let sandbox = two_minds();
    let gateway = Gateway::start(&sandbox, &[]);
    let digest = gateway.status()["policy"]["active"]["digest"].clone();
    let guest =
        |name: &str| hostile::all().into_iter().find(|guest| guest.name == name).unwrap().component;
    let cases = [
        (b"garbage".to_vec(), "is no WebAssembly component"),
        (guest("loop-decide.wat"), "no answer within 1000 ms (limits.deadline-ms)"),
        (guest("export-version.wat"), "a policy built for a newer contract"),
        (guest("import-clock.wat"), "a policy imports nothing"),
    ];
    for (bytes, words) in cases {
        // As an editor might: in place, so that it may be read half written.
        fs::write(policy(&sandbox), bytes).unwrap();
        let says = |status: &Value| {
            let reason = status["policy"]["rejected"]["reason"].as_str();
            reason.is_some_and(|reason| reason.contains(words))
        };
        let status = gateway.wait(words, says);
        assert_eq!(status["policy"]["active"]["digest"], digest);
        assert_eq!(gateway.client().get("/session", Some(NEW)).0, 200);
    }
    fs::remove_file(policy(&sandbox)).unwrap();
    gateway.wait("gone", |status| {
        let reason = status["policy"]["rejected"]["reason"].as_str();
        reason.is_some_and(|reason| reason.contains("cannot read the policy"))
    });
    put(&sandbox, &helm());
    gateway.wait("well again", |status| status["policy"]["rejected"].is_null());
    let said = gateway.end();
    assert!(said.contains("warning: the policy stays as it is"), "{said}");
}

/// A new token, while a connection is open: it goes on, a new one needs the new token.
#[test]
fn a_token_is_rotated_live() {
    let sandbox = two_minds();
    put(&sandbox, &binary());
    let gateway = Gateway::start(&sandbox, &[]);
    let mut open = gateway.client();
    assert_eq!(open.get("/session", Some(OLD)).0, 200);
    let config = sandbox.config_text().replace(OLD, "canary-rotated");
    fs::write(sandbox.config(), config).unwrap();
    gateway.wait("rotated", |status| status["token"]["generation"] == 2);
    assert_eq!(open.get("/session", Some(OLD)).0, 200, "it was opened with that");
    assert_eq!(gateway.client().get("/session", Some(OLD)).0, 401);
    assert_eq!(gateway.client().get("/session", Some("canary-rotated")).0, 200);
    assert_eq!(open.get("/session", Some("canary-rotated")).0, 200);
    assert_eq!(open.get("/session", Some(OLD)).0, 401, "it has moved on to the new one");
    for wrong in [None, Some(""), Some("canary-"), Some("canary-rotated-not")] {
        assert_eq!(gateway.client().get("/session", wrong).0, 401);
    }
    // A configuration that cannot be read is no reason to let nobody in.
    fs::write(sandbox.config(), "{ half").unwrap();
    gateway.wait("told", |status| !status["problem"].is_null());
    assert_eq!(gateway.client().get("/session", Some("canary-rotated")).0, 200);
    gateway.end();
}

/// With a grace window the token before opens new connections for a while.
#[test]
fn the_token_before_has_grace() {
    let sandbox = two_minds();
    put(&sandbox, &binary());
    let gateway = Gateway::start(&sandbox, &["--grace", "1"]);
    let config = sandbox.config_text().replace(OLD, "canary-rotated");
    fs::write(sandbox.config(), config).unwrap();
    gateway.wait("rotated", |status| status["token"]["generation"] == 2);
    let rotated = Instant::now();
    let code = gateway.client().get("/session", Some(OLD)).0;
    assert!(code == 200 || rotated.elapsed() > Duration::from_millis(900), "{code}");
    while gateway.client().get("/session", Some(OLD)).0 != 401 {
        assert!(rotated.elapsed() < LONG);
        thread::sleep(Duration::from_millis(20));
    }
    assert!(rotated.elapsed() > Duration::from_millis(500), "{:?}", rotated.elapsed());
    gateway.end();
}

/// What keeps it from starting, with the exit code that says whether trying again may help.
#[test]
fn it_refuses_to_start() {
    let sandbox = two_minds();
    let manifest = sandbox.path("home/precedent.toml");
    let refusing = format!("{AUDITED}settings.way = \"refuse\"\n");
    fs::write(&manifest, refusing).unwrap();
    put(&sandbox, &fs::read(fixture::misbehaving()).unwrap());
    let (code, said) = refused(&sandbox, &[]);
    assert!(code == Some(1) && said.contains("the policy refuses: not today"), "{code:?} {said}");

    let ungranted = AUDITED.replace("[\"config.auth-token\", \"config.remote-token\"]", "[]");
    fs::write(&manifest, ungranted).unwrap();
    put(&sandbox, &helm());
    let (code, said) = refused(&sandbox, &[]);
    assert!(code == Some(1) && said.contains("grant"), "{code:?} {said}");

    fs::write(&manifest, AUDITED).unwrap();
    put(&sandbox, b"garbage");
    let (code, said) = refused(&sandbox, &[]);
    assert!(code == Some(3) && said.contains("is no WebAssembly component"), "{code:?} {said}");

    fs::write(&manifest, "deployment = [").unwrap();
    let (code, said) = refused(&sandbox, &[]);
    assert!(code == Some(2) && said.contains("precedent.toml:1:"), "{code:?} {said}");

    // Nobody has a token for it.
    fs::write(&manifest, AUDITED).unwrap();
    put(&sandbox, &helm());
    fs::write(sandbox.config(), "{}").unwrap();
    let sandbox = sandbox.without(TOKEN);
    let (code, said) = refused(&sandbox, &[]);
    assert!(
        code == Some(1) && said.contains("no `gateway-token` for `gateway`"),
        "{code:?} {said}"
    );
}

//! The real gateway: OpenClaw from the npm registry, the last version whose clients read the
//! variable first, and the latest, whose clients read the configuration first.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{NEW, OLD, Sandbox, TOKEN, tools};

/// A gateway takes a core and 800 MB; one at a time.
static ONE: Mutex<()> = Mutex::new(());

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn clients_that_read_the_variable_first() {
    whole_story("openclaw-2026.7.35", "openclaw@2026.7.35", "2026.7.35");
}

#[test]
fn clients_that_read_the_configuration_first() {
    whole_story("openclaw-latest", "openclaw@latest", "2026.9.6");
}

/// An installation of OpenClaw in a sandbox of its own.
struct Installation {
    sandbox: Sandbox,
    tools: PathBuf,
    port: u16,
}

/// A gateway that runs; stopped when dropped.
struct Gateway(Child);

impl Drop for Gateway {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw) else { return };
        let _ = kill_process_group(group, Signal::TERM);
        let until = Instant::now() + Duration::from_secs(15);
        while Instant::now() < until {
            if !matches!(self.0.try_wait(), Ok(None)) {
                break;
            }
            thread::sleep(Duration::from_millis(100));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.0.wait();
    }
}

impl Installation {
    fn new(folder: &str, package: &str) -> Option<Self> {
        let tools = tools::npm(folder, &[&["node@24"], &[package, "--ignore-scripts"]])?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Some(Self { sandbox: Sandbox::new(), tools, port })
    }

    /// Writes the configuration: local mode, this port, and these tokens.
    fn write(&self, auth: Option<&str>, remote: Option<&str>) {
        let mut gateway = json!({"mode": "local", "port": self.port});
        if let Some(token) = auth {
            gateway["auth"] = json!({"token": token});
        }
        if let Some(token) = remote {
            gateway["remote"] = json!({"token": token});
        }
        let log = self.sandbox.path("gateway.log").display().to_string();
        let config = json!({"gateway": gateway, "logging": {"file": log}});
        fs::write(self.sandbox.config(), format!("{config:#}\n")).unwrap();
    }

    fn openclaw(&self, token: Option<&str>) -> Command {
        let bin = self.tools.join("node_modules/.bin");
        let mut command = Command::new(bin.join("openclaw"));
        command
            .env_clear()
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("HOME", self.sandbox.path("home"))
            .env("LANG", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env("OPENCLAW_SKIP_CHANNELS", "1")
            .env("OPENCLAW_DISABLE_BONJOUR", "1")
            .current_dir(self.sandbox.path("home"))
            .stdin(Stdio::null());
        if let Some(token) = token {
            command.env(TOKEN, token);
        }
        command
    }

    /// Starts the gateway as a pod does, with the variable set, and waits until it is ready.
    fn start(&self, token: &str) -> Gateway {
        let log = fs::File::create(self.sandbox.path("gateway.out")).unwrap();
        let child = self
            .openclaw(Some(token))
            .args(["gateway", "run", "--bind", "loopback"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let mut gateway = Gateway(child);
        self.wait_until_ready(&mut gateway);
        gateway
    }

    fn wait_until_ready(&self, gateway: &mut Gateway) {
        let until = Instant::now() + PATIENCE;
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        while ureq::get(&url).call().is_err() {
            let ended = gateway.0.try_wait().unwrap();
            assert!(ended.is_none() && Instant::now() < until, "{ended:?}: {}", self.output());
            thread::sleep(Duration::from_millis(200));
        }
    }

    fn output(&self) -> String {
        let mut text = String::new();
        let _ = fs::File::open(self.sandbox.path("gateway.out"))
            .and_then(|mut file| file.read_to_string(&mut text));
        text
    }

    /// Calls the gateway as `openclaw gateway call health` does, without the variable.
    fn health(&self, token: Option<&str>) -> Output {
        self.openclaw(token).args(["gateway", "call", "health", "--json"]).output().unwrap()
    }

    /// A gateway may take a moment to follow a change of its configuration.
    fn becomes_healthy(&self, token: Option<&str>) {
        let until = Instant::now() + PATIENCE;
        loop {
            let output = self.health(token);
            if output.status.success() {
                return;
            }
            assert!(Instant::now() < until, "{output:?}\n{}", self.output());
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// Whether the server itself takes the token.
    fn accepts(&self, token: &str) -> bool {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let answer = agent
            .post(format!("http://127.0.0.1:{}/tools/invoke", self.port))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .send(r#"{"tool":"sessions_list","action":"json","args":{}}"#)
            .unwrap();
        // 500 is what 7.35 answers once it has let us in and its own call to itself fails.
        answer.status() != 401
    }

    fn apply(&mut self, token: &str, more: &[&str]) {
        let sandbox = std::mem::replace(&mut self.sandbox, Sandbox::new());
        self.sandbox = sandbox.env(TOKEN, token);
        let run =
            self.sandbox.run(&[&["apply", "--policy", "helm", "--phase", "start"], more].concat());
        assert_eq!(run.code, Some(0), "{run:?}");
    }
}

fn whole_story(folder: &str, package: &str, version: &str) {
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut pod) = Installation::new(folder, package) else { return };

    // The pod restarts with a stale gateway.remote.token on its volume.
    pod.write(None, Some(OLD));
    let mut gateway = pod.start(NEW);
    let mismatch = pod.health(None);
    assert_eq!(mismatch.status.code(), Some(1), "{mismatch:?}");
    let stderr = String::from_utf8_lossy(&mismatch.stderr).into_owned();
    assert!(stderr.contains("gateway token mismatch"), "{stderr}");
    pod.apply(NEW, &[]);
    pod.wait_until_ready(&mut gateway);
    pod.becomes_healthy(None);
    drop(gateway);

    // The Secret is rotated, and the pod restarts.
    pod.apply("canary-rotated", &[]);
    let gateway = pod.start("canary-rotated");
    assert!(pod.accepts("canary-rotated"));
    assert!(!pod.accepts(NEW), "the old token is refused");
    pod.becomes_healthy(None);
    drop(gateway);

    // A stale gateway.auth.token makes the server itself switch to it.
    pod.write(Some(OLD), Some(OLD));
    let gateway = pod.start("canary-rotated");
    assert!(!pod.accepts("canary-rotated"), "the server reads the configuration first");
    assert!(pod.accepts(OLD));
    let (_, explained) =
        pod.sandbox.json(&["explain", "--attribute", &format!("openclaw-version={version}")]);
    let server = &explained["consumers"][0];
    assert_eq!(server["consumer"], "gateway");
    assert_eq!(server["today"], "config.auth-token", "and explain says so");
    assert_eq!(server["drift"], true);
    drop(gateway);
    pod.apply("canary-rotated", &[]);
    let gateway = pod.start("canary-rotated");
    assert!(pod.accepts("canary-rotated"));
    assert!(!pod.accepts(OLD));
    pod.becomes_healthy(None);
    drop(gateway);

    // No plain text on the volume: references to the variable.
    let known = format!("openclaw-version={version}");
    pod.apply("canary-rotated", &["--set", "persist=reference", "--attribute", &known]);
    assert!(!pod.sandbox.config_text().contains("canary-"));
    let gateway = pod.start("canary-rotated");
    assert!(pod.accepts("canary-rotated"));
    pod.becomes_healthy(Some("canary-rotated"));
    drop(gateway);
}

//! A release of OpenClaw, installed, and its programs run in a home of their own.

use std::{
    fs,
    io::Read,
    net::TcpListener,
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{Sandbox, TOKEN, tools};

const PATIENCE: Duration = Duration::from_secs(120);

/// A release from the npm registry.
pub(super) struct Release {
    folder: &'static str,
    package: &'static str,
    pub(super) version: &'static str,
    /// Whether a server that makes up its token first pairs the command line of its own home with
    /// itself, which then gets in without a secret.
    pub(super) pairs_own_command_line: bool,
    /// A gateway takes a core and 800 MB: one of each release at a time.
    turn: Mutex<()>,
}

/// The last release whose clients read the variable first.
pub(super) static VARIABLE_FIRST: Release = Release {
    folder: "openclaw-2026.7.35",
    package: "openclaw@2026.7.35",
    version: "2026.7.35",
    pairs_own_command_line: false,
    turn: Mutex::new(()),
};

/// The latest release, whose clients read the configuration first.
pub(super) static CONFIG_FIRST: Release = Release {
    folder: "openclaw-latest",
    package: "openclaw@latest",
    version: "2026.9.6",
    pairs_own_command_line: true,
    turn: Mutex::new(()),
};

/// A release in a sandbox of its own.
pub(super) struct Installation {
    /// What `precedent` and OpenClaw's programs run in: one environment, one home.
    pub(super) sandbox: Sandbox,
    pub(super) tools: PathBuf,
    pub(super) port: u16,
    _turn: MutexGuard<'static, ()>,
}

/// A gateway that runs; stopped when dropped.
pub(super) struct Gateway(Child);

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
    pub(super) fn new(release: &'static Release) -> Option<Self> {
        let turn = release.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let tools =
            tools::npm(release.folder, &[&["node@24"], &[release.package, "--ignore-scripts"]])?;
        let mut sandbox = Sandbox::new().policy("binary");
        let bin = tools.join("node_modules/.bin");
        sandbox.set("PATH", &format!("{}:/usr/bin:/bin", bin.display()));
        for (name, value) in [
            ("LANG", "C.UTF-8"),
            ("NO_COLOR", "1"),
            ("OPENCLAW_SKIP_CHANNELS", "1"),
            ("OPENCLAW_DISABLE_BONJOUR", "1"),
        ] {
            sandbox.set(name, value);
        }
        Some(Self { sandbox, tools, port: free_port(), _turn: turn })
    }

    /// An empty home, and another port.
    pub(super) fn start_over(&mut self) {
        let home = self.sandbox.path("home");
        fs::remove_dir_all(&home).unwrap();
        fs::create_dir_all(home.join(".openclaw")).unwrap();
        self.port = free_port();
    }

    /// Writes the configuration: local mode, this port, and these tokens.
    pub(super) fn write(&self, auth: Option<&str>, remote: Option<&str>) {
        let auth = auth.map(|token| json!({"token": token}));
        self.write_config(auth, remote, None);
    }

    /// Writes the configuration: local mode, this port, `gateway.auth`, the remote token, and the
    /// variable in `env.vars`.
    pub(super) fn write_config(
        &self,
        auth: Option<Value>,
        remote: Option<&str>,
        variable: Option<&str>,
    ) {
        let mut gateway = json!({"mode": "local", "port": self.port});
        if let Some(auth) = auth {
            gateway["auth"] = auth;
        }
        if let Some(token) = remote {
            gateway["remote"] = json!({"token": token});
        }
        let log = self.sandbox.path("gateway.log").display().to_string();
        // Without plugins, for none is needed and the older command line loads them all.
        let mut config = json!({
            "gateway": gateway,
            "logging": {"file": log},
            "plugins": {"enabled": false},
        });
        if let Some(token) = variable {
            config["env"] = json!({"vars": {TOKEN: token}});
        }
        let new = self.sandbox.path("home/.openclaw/openclaw.json.new");
        fs::write(&new, format!("{config:#}\n")).unwrap();
        fs::rename(new, self.sandbox.config()).unwrap();
    }

    /// The environment with this token or without one, for all programs.
    pub(super) fn set_token(&mut self, token: Option<&str>) {
        match token {
            Some(token) => self.sandbox.set(TOKEN, token),
            None => self.sandbox.unset(TOKEN),
        }
    }

    pub(super) fn openclaw(&self, token: Option<&str>) -> Command {
        let mut command = Command::new(self.tools.join("node_modules/.bin/openclaw"));
        command
            .env_clear()
            .envs(self.sandbox.variables())
            .env_remove(TOKEN)
            .current_dir(self.sandbox.path("home"))
            .stdin(Stdio::null());
        if let Some(token) = token {
            command.env(TOKEN, token);
        }
        command
    }

    /// Starts the gateway as a pod does, with the variable set, and waits until it is ready.
    pub(super) fn start(&self, token: &str) -> Gateway {
        self.try_start(Some(token)).unwrap_or_else(|| panic!("{}", self.output()))
    }

    /// Starts the gateway and waits until it is ready; none where it refuses.
    pub(super) fn try_start(&self, token: Option<&str>) -> Option<Gateway> {
        let mut command = self.openclaw(token);
        command.args(["gateway", "run", "--bind", "loopback"]);
        self.run(command)
    }

    /// Runs a command that is a gateway, and waits until it is ready; none where it ends.
    pub(super) fn run(&self, mut command: Command) -> Option<Gateway> {
        let log = fs::File::create(self.sandbox.path("gateway.out")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        let mut gateway = Gateway(child);
        self.is_ready(&mut gateway).then_some(gateway)
    }

    pub(super) fn wait_until_ready(&self, gateway: &mut Gateway) {
        assert!(self.is_ready(gateway), "{}", self.output());
    }

    /// Waits until the gateway is ready, or has ended.
    fn is_ready(&self, gateway: &mut Gateway) -> bool {
        let until = Instant::now() + PATIENCE;
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        while ureq::get(&url).call().is_err() {
            if gateway.0.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < until, "{}", self.output());
            thread::sleep(Duration::from_millis(200));
        }
        true
    }

    pub(super) fn output(&self) -> String {
        let mut text = String::new();
        let _ = fs::File::open(self.sandbox.path("gateway.out"))
            .and_then(|mut file| file.read_to_string(&mut text));
        text
    }

    /// Calls the gateway as `openclaw gateway call health` does, with or without the variable.
    pub(super) fn health(&self, token: Option<&str>) -> Output {
        self.openclaw(token).args(["gateway", "call", "health", "--json"]).output().unwrap()
    }

    /// A gateway may take a moment to follow a change of its configuration.
    pub(super) fn becomes_healthy(&self, token: Option<&str>) {
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
    pub(super) fn accepts(&self, token: &str) -> bool {
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
}

/// A port that nobody has. It is let go before a gateway takes it, so it is none of those that the
/// system gives to whoever asks for any: one of them could be taken meanwhile.
fn free_port() -> u16 {
    static LAST: Mutex<u16> = Mutex::new(0);
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let first = if *last == 0 { 20_000 + (std::process::id() % 10_000) as u16 } else { *last + 1 };
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    *last = (first..32_000).chain(20_000..first).find(is_free).unwrap();
    *last
}

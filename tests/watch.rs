//! `precedent watch`: what changes is seen, once, and a program is kept in step.

mod kept;
mod seen;

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::fs::symlink,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Sandbox, TOKEN};

/// More than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// More than a watch waits before it looks at what it was told of.
const SETTLED: Duration = Duration::from_millis(1200);

/// The truth is in a mounted Secret, and the configuration follows it.
pub(crate) const MOUNTED: &str = r#"
deployment = { preset = "openclaw" }
policy.name = "helm"
grants.write = ["config.auth-token", "config.remote-token"]
[[locations]]
name = "env.gateway-token"
credential = "gateway-token"
file = "secret/token"
"#;

/// A watch that runs.
struct Watching<'s> {
    sandbox: &'s Sandbox,
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
    rest: Option<JoinHandle<Vec<u8>>>,
}

impl<'s> Watching<'s> {
    /// A watch that tells in JSON.
    fn new(sandbox: &'s Sandbox, words: &[&str]) -> Self {
        let mut command = sandbox.command();
        command.args(["watch", "--format", "json"]).args(words);
        Self::of(sandbox, command)
    }

    fn of(sandbox: &'s Sandbox, mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (send, lines) = channel();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        // Where it keeps a program, standard output is that one's.
        let with_program = command.get_args().any(|word| word == "--");
        let (told, mut rest): (Box<dyn Read + Send>, Box<dyn Read + Send>) = if with_program {
            (Box::new(stderr), Box::new(stdout))
        } else {
            (Box::new(stdout), Box::new(stderr))
        };
        thread::spawn(move || {
            for line in BufReader::new(told).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let rest = thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = rest.read_to_end(&mut bytes);
            bytes
        });
        Self { sandbox, child, lines, said: Vec::new(), rest: Some(rest) }
    }

    /// The next thing that it tells, of JSON. What a program says beside it is its own.
    fn next(&mut self) -> Value {
        loop {
            let line = self.lines.recv_timeout(LONG).expect("it tells something");
            self.said.push(line.clone());
            if let Ok(told) = serde_json::from_str::<Value>(&line) {
                assert_eq!(told["schema"], "precedent.watch/1");
                return told;
            }
        }
    }

    /// The next event of a sort; those before it are let go by.
    fn until(&mut self, event: &str) -> Value {
        loop {
            let told = self.next();
            if told["event"] == event {
                return told;
            }
        }
    }

    /// Tells nothing for a while in which it would have looked.
    fn is_quiet(&mut self) {
        match self.lines.recv_timeout(SETTLED) {
            Err(RecvTimeoutError::Timeout) => {}
            told => panic!("it should have nothing to tell: {told:?}"),
        }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// Waits until it has ended, and searches what it said for secrets.
    fn ended(mut self) -> ExitStatus {
        let until = Instant::now() + LONG;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it never ends");
            thread::sleep(Duration::from_millis(10));
        };
        self.said.extend(self.lines.iter());
        let stderr = self.rest.take().unwrap().join().unwrap();
        let stdout = self.said.join("\n").into_bytes();
        self.sandbox.hear(&Output { status, stdout, stderr });
        status
    }

    /// Ends it as an operator does.
    fn end(self) {
        self.signal(Signal::TERM);
        assert_eq!(self.ended().code(), Some(0));
    }
}

/// A test that failed leaves no program behind: a watch that is killed could not end its own.
impl Drop for Watching<'_> {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
            let until = Instant::now() + SETTLED * 10;
            while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
                thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A home with a Secret that is mounted as the kubelet does it, and a configuration.
fn mounted(token: &str, config: &str) -> Sandbox {
    let sandbox = Sandbox::with_config(config).without(TOKEN);
    fs::write(sandbox.path("home/precedent.toml"), MOUNTED).unwrap();
    let mount = sandbox.path("home/secret");
    fs::create_dir_all(mount.join("..2026_0")).unwrap();
    fs::write(mount.join("..2026_0/token"), token).unwrap();
    symlink("..2026_0", mount.join("..data")).unwrap();
    symlink("..data/token", mount.join("token")).unwrap();
    sandbox
}

/// The kubelet's way: a folder of the time, a link to it in the place of the old one, the old folder goes.
fn swap(sandbox: &Sandbox, number: u32, token: &str) {
    let mount = sandbox.path("home/secret");
    let before = mount.join(fs::read_link(mount.join("..data")).unwrap());
    let folder = format!("..2026_{number}");
    fs::create_dir(mount.join(&folder)).unwrap();
    fs::write(mount.join(&folder).join("token"), token).unwrap();
    symlink(&folder, mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    fs::remove_dir_all(before).unwrap();
}

/// Records of the journal.
fn records(sandbox: &Sandbox) -> usize {
    let journal = fs::read_to_string(sandbox.path("state/journal-openclaw.jsonl"));
    journal.unwrap_or_default().lines().count()
}

/// Waits until a file says something.
fn says(sandbox: &Sandbox, name: &str, is_it: impl Fn(&str) -> bool) -> String {
    let until = Instant::now() + LONG;
    loop {
        let text = fs::read_to_string(sandbox.path(name)).unwrap_or_default();
        if is_it(&text) {
            return text;
        }
        assert!(Instant::now() < until, "{name} never says it, but {text:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

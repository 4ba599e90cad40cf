//! A program that reads an alert as JSON.

use std::{
    io::{ErrorKind, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use precedent::observe::{Machine, World};
use rustix::process::{Pid, Signal, kill_process_group};

use super::send::Failure;

/// How long it may take.
const TIME: Duration = Duration::from_secs(30);
/// How often to look whether it has ended.
const PAUSE: Duration = Duration::from_millis(10);

/// The variables that every program gets: to be found, to find its own files, and to tell the time.
const USUAL: [&str; 6] = ["PATH", "HOME", "USER", "LANG", "XDG_CONFIG_HOME", "TZ"];

/// Runs a program with something to read. A relative path is relative to `base`. Of our environment it
/// gets the usual variables and those of `pass_env`; what it says is dropped, for it may say what it should not.
pub(super) fn run(
    words: &[String],
    base: &Path,
    pass_env: &[String],
    document: &str,
) -> Result<(), Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::lasting("it names no program"));
    };
    let mut command = Command::new(program_at(program, base));
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let (world, names) = (Machine::default(), pass_env.iter().map(String::as_str));
    let variable = |name| Some((name, world.variable(name)?));
    command.env_clear().envs(USUAL.into_iter().chain(names).filter_map(variable));
    // A group of its own, so that nothing that it starts outlives it.
    let mut child = command.process_group(0).spawn().map_err(|error| {
        Failure::lasting(match error.kind() {
            ErrorKind::NotFound => "its program is not there".to_owned(),
            kind => format!("its program cannot be started: {kind}"),
        })
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        let document = document.to_owned();
        // A thread, for it may never read.
        thread::spawn(move || stdin.write_all(document.as_bytes()));
    }
    let ended = wait(&mut child);
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    match ended {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Failure::lasting(format!("its program ended with {status}"))),
        None => {
            let seconds = TIME.as_secs();
            Err(Failure::lasting(format!("its program did not end within {seconds} seconds")))
        }
    }
}

/// A name is looked up on the PATH; a path is where it says.
fn program_at(program: &str, base: &Path) -> PathBuf {
    if program.contains('/') { base.join(program) } else { PathBuf::from(program) }
}

fn wait(child: &mut Child) -> Option<ExitStatus> {
    let until = Instant::now() + TIME;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => thread::sleep(PAUSE),
            Ok(None) | Err(_) => return None,
        }
    }
}

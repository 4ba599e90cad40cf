//! One process: run, waited for, measured.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use wait4::Wait4;

use crate::home::{Home, TOKEN};

/// What a process took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    /// From before it was started to after it was waited for, in nanoseconds.
    pub(crate) nanos: f64,
    /// The most of it that was in memory at once, in bytes.
    pub(crate) memory: f64,
}

/// A command at home, with nothing in its environment but what it needs.
pub(crate) fn command(program: &Path, home: &Home) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", home.path())
        .env("OPENCLAW_GATEWAY_TOKEN", TOKEN)
        .env("PRECEDENT_STATE_DIR", home.state())
        .env("PRECEDENT_CACHE_DIR", home.cache())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Runs it. Fails where it does.
pub(crate) fn run(command: &mut Command) -> Result<Taken> {
    let failed = |command: &Command| format!("cannot run {:?}", command.get_program());
    let begun = Instant::now();
    let child = command.spawn().with_context(|| failed(command))?;
    let done = child.wait4().with_context(|| failed(command))?;
    let nanos = begun.elapsed().as_nanos() as f64;
    if !done.status.success() {
        let (program, arguments) = (command.get_program(), command.get_args().collect::<Vec<_>>());
        bail!("{program:?} {arguments:?} ended with {}", done.status);
    }
    Ok(Taken { nanos, memory: done.rusage.maxrss as f64 })
}

//! A program that is run while observing, bounded in time.

use std::{
    io::{Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use zeroize::Zeroizing;

use super::world::Command;

/// More than any answer.
const LARGEST: u64 = 1024 * 1024;

/// Runs it. Its standard error is dropped: it may hold what it should not.
pub(super) fn run(command: &Command<'_>) -> Option<Zeroizing<Vec<u8>>> {
    if command.guarded && !is_ours(command.program) {
        return None;
    }
    let kept =
        ["PATH", "HOME"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
    let mut child = std::process::Command::new(command.program)
        .args(command.arguments)
        .env_clear()
        .envs(kept)
        .envs(command.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let (mut input, mut output) = (child.stdin.take()?, child.stdout.take()?);
    // What it reads is short; a program that never reads it is stopped with the rest.
    let text = command.input.to_vec();
    let writer = thread::spawn(move || input.write_all(&text));
    let reader = thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        output.by_ref().take(LARGEST).read_to_end(&mut bytes).map(|_| bytes)
    });
    let succeeded = wait(&mut child, command.time);
    // A program that closed its input early has not failed for that.
    let _ = writer.join();
    let bytes = reader.join().ok()?.ok()?;
    succeeded.then_some(bytes)
}

/// Whether nobody else can have put another program there.
fn is_ours(program: &Path) -> bool {
    let Ok(metadata) = program.symlink_metadata() else {
        return false;
    };
    program.is_absolute()
        && metadata.is_file()
        && metadata.uid() == rustix::process::geteuid().as_raw()
        && metadata.permissions().mode() & 0o022 == 0
}

/// Waits for it to end, and ends it where it takes too long.
fn wait(child: &mut Child, time: Duration) -> bool {
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if start.elapsed() < time => thread::sleep(Duration::from_millis(10)),
            Ok(None) | Err(_) => {
                // It may have ended by itself; either way it is over, and must be waited for.
                let _ = child.kill();
                let _ = child.wait();
                return false;
            }
        }
    }
}

//! A program that is run while observing, bounded in time.

use std::{
    io::{Read, Write},
    os::unix::{
        fs::{MetadataExt, PermissionsExt},
        process::CommandExt,
    },
    path::Path,
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use zeroize::Zeroizing;

use super::world::Command;

/// More than any answer.
const LARGEST: u64 = 1024 * 1024;

/// Runs it. Its standard error is dropped: it may hold what it should not.
pub(super) fn run(command: &Command<'_>) -> Option<Zeroizing<Vec<u8>>> {
    if command.guarded && !is_ours(command.program) {
        return None;
    }
    let folder = command.program.parent().filter(|_| command.guarded).unwrap_or(Path::new("."));
    let mut child = std::process::Command::new(command.program)
        .args(command.arguments)
        .current_dir(folder)
        .env_clear()
        .envs(command.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .ok()?;
    let until = Instant::now() + command.time;
    let answer = talk(&mut child, command.input, until);
    let succeeded = ends_well(&mut child, until);
    // Whatever it started and left behind must not outlive us.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    answer.filter(|_| succeeded)
}

/// Hands it what it reads, and takes what it prints until it closes its output.
fn talk(child: &mut Child, input: &[u8], until: Instant) -> Option<Zeroizing<Vec<u8>>> {
    let (mut stdin, mut stdout) = (child.stdin.take()?, child.stdout.take()?);
    let input = Zeroizing::new(input.to_vec());
    // Threads, for neither may keep us waiting: one that never reads, one that never ends. They end
    // with the program's group.
    thread::spawn(move || stdin.write_all(&input));
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = stdout.by_ref().take(LARGEST).read_to_end(&mut bytes);
        send.send(read.map(|_| bytes))
    });
    receive.recv_timeout(until.saturating_duration_since(Instant::now())).ok()?.ok()
}

/// Whether it ends in time, and says that all went well.
fn ends_well(child: &mut Child, until: Instant) -> bool {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(10)),
            Ok(None) | Err(_) => return false,
        }
    }
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

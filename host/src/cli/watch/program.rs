//! The program that is kept running: started, and stopped with all that it started.

use std::{
    ffi::OsString,
    io::IsTerminal,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Child, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};

use super::super::{
    exit::Exit,
    launch::{Given, Unstarted, command},
    memory,
};

/// How often to look whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);

/// A program that runs, at the head of a group of its own.
pub(super) struct Program {
    child: Child,
}

impl Program {
    pub(super) fn start(words: &[OsString], given: Option<&Given>) -> Result<Self, Unstarted> {
        let mut command = command(words, given);
        command.process_group(0);
        if std::io::stdin().is_terminal() {
            // A terminal stops a program of another group that reads from it.
            command.stdin(Stdio::null());
        }
        match memory::unsealed(|| command.spawn()) {
            Ok(child) => Ok(Self { child }),
            Err(error) => Err(Unstarted::new(&command, &error)),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it ended with, if it did by itself. What it left of its group ends with it.
    pub(super) fn ended(&mut self) -> Option<Exit> {
        let group = self.group()?;
        if !has_ended(group) {
            return None;
        }
        // Its number is nobody else's until it is waited for.
        let _ = kill_process_group(group, Signal::KILL);
        self.child.wait().ok().map(exit_of)
    }

    /// Hands a signal on to it.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = self.group() {
            let _ = kill_process(pid, signal);
        }
    }

    fn group(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Asks it to end, and all of its group; ends them where that takes too long. Its number is nobody
    /// else's until it is waited for, so it is it that is signalled.
    pub(super) fn stop(mut self, grace: Duration) {
        if let Some(group) = self.group() {
            let until = Instant::now() + grace;
            let _ = kill_process_group(group, Signal::TERM);
            // What is halted does not hear it.
            let _ = kill_process_group(group, Signal::CONT);
            // A shell around it may be gone at once, and it is still putting its things in order.
            while !(has_ended(group) && is_empty(group)) && Instant::now() < until {
                thread::sleep(PAUSE);
            }
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Whether it has ended; it is not waited for.
fn has_ended(pid: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(pid), look), Ok(None))
}

/// Whether nobody is left in a group but the one at its head, who has ended. Where the kernel does not say,
/// it is.
fn is_empty(group: Pid) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let of = |entry: std::fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // After the name, which may hold anything: state, parent, group.
        let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
        let (state, group) = (rest.next()?.to_owned(), rest.nth(1)?.parse::<i32>().ok()?);
        Some((pid, state, group))
    };
    let head = group.as_raw_nonzero().get();
    let is_alive =
        |(pid, state, group): (i32, String, i32)| group == head && pid != head && state != "Z";
    !processes.filter_map(of).any(is_alive)
}

/// As a shell tells it.
fn exit_of(status: ExitStatus) -> Exit {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Exit::Of(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}

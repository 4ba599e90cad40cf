//! A program that is run while observing, bounded in time.

use std::{
    io::{ErrorKind, Read, Write},
    os::{
        fd::AsFd,
        unix::{
            fs::{MetadataExt, PermissionsExt},
            process::CommandExt,
        },
    },
    path::Path,
    process::{Child, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, Signal, kill_process_group},
};
use zeroize::Zeroizing;

use super::world::{Command, RunError};

/// More than any answer.
const LARGEST: usize = 1024 * 1024;

/// How often to look what there is to read, and whether it has ended.
const PAUSE: Duration = Duration::from_millis(2);

/// Runs it. Nobody is shown its standard error, which may hold what it should not; it is read only where
/// it can say that there is nothing.
pub(super) fn run(command: &Command<'_>) -> Result<Zeroizing<Vec<u8>>, RunError> {
    if command.guarded && !is_ours(command.program) {
        return Err(RunError::NotGuarded);
    }
    let folder = command.program.parent().filter(|_| command.guarded).unwrap_or(command.folder);
    let mut program = std::process::Command::new(command.program);
    program
        .args(command.arguments)
        .env_clear()
        .envs(command.variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(if command.absent.is_some() { Stdio::piped() } else { Stdio::null() })
        .process_group(0);
    if !folder.as_os_str().is_empty() {
        program.current_dir(folder);
    }
    let mut child = program.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => RunError::NotFound,
        _ => RunError::NotStarted,
    })?;
    let mut talk = Talk::with(&mut child, command.input);
    let ended = talk.until(&mut child, Instant::now() + command.time);
    // Whatever it started and left behind must not outlive us.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
    let status = ended?;
    // What it printed before it ended is there; who else may hold the other end is not waited for.
    talk.read()?;
    match (status.success(), command.absent) {
        (true, _) => Ok(talk.output.bytes),
        (false, Some(absent)) if talk.errors.says(absent) => Err(RunError::Absent),
        (false, _) => Err(RunError::Failed(status.code())),
    }
}

/// What a program is handed, and what it says, without waiting for either.
struct Talk {
    input: Zeroizing<Vec<u8>>,
    /// How much of it was handed over.
    handed: usize,
    stdin: Option<std::process::ChildStdin>,
    output: Heard<std::process::ChildStdout>,
    errors: Heard<std::process::ChildStderr>,
}

impl Talk {
    fn with(child: &mut Child, input: &[u8]) -> Self {
        let stdin = child.stdin.take();
        stdin.iter().for_each(unblock);
        Self {
            input: Zeroizing::new(input.to_vec()),
            handed: 0,
            stdin,
            output: Heard::of(child.stdout.take()),
            errors: Heard::of(child.stderr.take()),
        }
    }

    /// Talks until it has ended, and gives back how.
    fn until(&mut self, child: &mut Child, until: Instant) -> Result<ExitStatus, RunError> {
        loop {
            self.hand();
            self.read()?;
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if Instant::now() < until => thread::sleep(PAUSE),
                Ok(None) | Err(_) => return Err(RunError::TimedOut),
            }
        }
    }

    /// Hands over as much as it takes; the end of it closes what it reads from.
    fn hand(&mut self) {
        while let Some(stdin) = &mut self.stdin {
            let left = self.input.get(self.handed..).unwrap_or_default();
            match stdin.write(left) {
                _ if left.is_empty() => self.stdin = None,
                Ok(handed) => self.handed += handed,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // One that does not read is none the worse for it.
                Err(_) => self.stdin = None,
            }
        }
    }

    fn read(&mut self) -> Result<(), RunError> {
        self.errors.read();
        self.output.read();
        if self.output.bytes.len() > LARGEST { Err(RunError::TooLarge) } else { Ok(()) }
    }
}

/// What was heard from one end of a pipe.
struct Heard<R> {
    from: Option<R>,
    bytes: Zeroizing<Vec<u8>>,
}

impl<R: Read + AsFd> Heard<R> {
    fn of(from: Option<R>) -> Self {
        from.iter().for_each(unblock);
        Self { from, bytes: Zeroizing::default() }
    }

    /// Takes what is there, as long as there is room.
    fn read(&mut self) {
        let mut some = Zeroizing::new([0; 8192]);
        while let Some(from) = self.from.as_mut().filter(|_| self.bytes.len() <= LARGEST) {
            match from.read(some.as_mut_slice()) {
                Ok(0) => self.from = None,
                Ok(count) => self.bytes.extend_from_slice(some.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.from = None,
            }
        }
    }

    fn says(&self, text: &str) -> bool {
        String::from_utf8_lossy(&self.bytes).contains(text)
    }
}

/// Makes reading and writing give back what is possible now. Where that cannot be, the limit on the time
/// still ends the program, and with it the other end.
fn unblock(end: &impl AsFd) {
    if let Ok(flags) = fcntl_getfl(end) {
        let _ = fcntl_setfl(end, flags | OFlags::NONBLOCK);
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

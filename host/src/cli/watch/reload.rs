//! A program that runs by itself, and that is told by a signal to read its secrets again.

use std::{
    fs::File,
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::{Args as ClapArgs, ValueEnum};
use rustix::process::{Pid, Signal, geteuid, getpid, kill_process};

/// More digits than any number of a process has.
const LONGEST: u64 = 64;

/// Whom to tell, and how.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ReloadArgs {
    /// Send this signal where the program of --consumer would use another secret
    #[arg(long, value_enum, ignore_case = true, requires = "pid_file", conflicts_with = "command")]
    pub(super) reload_signal: Option<SignalArg>,
    /// The file that holds the number of the process that is signalled
    #[arg(long, value_name = "FILE", requires = "reload_signal")]
    pub(super) pid_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SignalArg {
    #[value(alias = "SIGHUP")]
    Hup,
    #[value(alias = "SIGUSR1")]
    Usr1,
    #[value(alias = "SIGUSR2")]
    Usr2,
    #[value(alias = "SIGTERM")]
    Term,
    #[value(alias = "SIGINT")]
    Int,
}

impl From<SignalArg> for Signal {
    fn from(signal: SignalArg) -> Self {
        match signal {
            SignalArg::Hup => Self::HUP,
            SignalArg::Usr1 => Self::USR1,
            SignalArg::Usr2 => Self::USR2,
            SignalArg::Term => Self::TERM,
            SignalArg::Int => Self::INT,
        }
    }
}

/// Signals the process that a file names, and gives back its number.
pub(super) fn signal(path: &Path, signal: SignalArg) -> Result<i32> {
    let pid = read(path).with_context(|| format!("cannot use the pid file {}", path.display()))?;
    kill_process(pid, signal.into()).with_context(|| {
        format!("cannot signal process {}, which {} names", pid.as_raw_nonzero(), path.display())
    })?;
    Ok(pid.as_raw_nonzero().get())
}

fn read(path: &Path) -> Result<Pid> {
    // A pipe without a writer would keep us waiting.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        bail!("it is no regular file");
    }
    let file = File::open(path)?;
    // Whoever writes it says who is signalled with our rights.
    let (owner, mode) = (file.metadata()?.uid(), file.metadata()?.mode());
    if owner != 0 && owner != geteuid().as_raw() {
        bail!("it belongs to another user ({owner})");
    }
    if mode & 0o022 != 0 {
        bail!("its group or everybody may write it; chmod go-w");
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text)?;
    let number = text.split_whitespace().next().and_then(|word| word.parse().ok());
    match number.filter(|number| *number > 1).and_then(Pid::from_raw) {
        Some(pid) if pid != getpid() => Ok(pid),
        _ => bail!("it holds no number of another process"),
    }
}

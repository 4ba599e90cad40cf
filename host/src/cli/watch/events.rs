//! What wakes a watch, and when.

use std::{
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use signal_hook::{
    consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2},
    iterator::Signals,
};

/// How long nothing may be told until what was told is looked at: a writer writes more than once.
const QUIET: Duration = Duration::from_millis(250);
/// How long that may go on.
const LONGEST: Duration = Duration::from_secs(5);

/// What is told.
pub(super) enum Event {
    /// A place that is watched may be another.
    Changed,
    Signal(i32),
}

/// What to do about it.
pub(super) enum Wake {
    Look,
    ChildEnded,
    /// Says nothing to a watch, and something to the program whose place it is in.
    HandOn(Signal),
    Stop,
}

/// Everything that is told, in one queue.
pub(super) struct Events {
    queue: Receiver<Event>,
    every: Duration,
    /// When it is time to look, whatever is told.
    due: Instant,
    /// When the first change was told that was not looked at yet.
    changed: Option<Instant>,
}

impl Events {
    /// Listens to signals from here on, and gives back where other events are sent to.
    pub(super) fn new(every: Duration) -> Result<(Sender<Event>, Self)> {
        let (send, queue) = mpsc::channel();
        let heard = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD].into_iter();
        let ignored = ignored();
        let heard = heard.filter(|signal| *signal == SIGCHLD || ignored >> (signal - 1) & 1 == 0);
        let mut signals = Signals::new(heard).context("cannot listen to signals")?;
        let sender = send.clone();
        thread::Builder::new()
            .spawn(move || {
                signals.forever().all(|signal| sender.send(Event::Signal(signal)).is_ok());
            })
            .context("no thread to listen to signals")?;
        let due = Instant::now() + every;
        Ok((send, Self { queue, every, due, changed: None }))
    }

    /// Waits for something to do.
    pub(super) fn next(&mut self) -> Result<Wake> {
        loop {
            let now = Instant::now();
            let until = self.changed.map_or(self.due, |first| (now + QUIET).min(first + LONGEST));
            match self.queue.recv_timeout(until.saturating_duration_since(now)) {
                Ok(Event::Changed) => {
                    // Not before it was waited for: that may have been long.
                    self.changed.get_or_insert_with(Instant::now);
                }
                Ok(Event::Signal(SIGCHLD)) => return Ok(Wake::ChildEnded),
                Ok(Event::Signal(SIGUSR1)) => return Ok(Wake::HandOn(Signal::USR1)),
                Ok(Event::Signal(SIGUSR2)) => return Ok(Wake::HandOn(Signal::USR2)),
                Ok(Event::Signal(_)) => return Ok(Wake::Stop),
                Err(RecvTimeoutError::Timeout) => {
                    self.changed = None;
                    self.due = Instant::now() + self.every;
                    return Ok(Wake::Look);
                }
                Err(RecvTimeoutError::Disconnected) => bail!("nobody tells of anything any more"),
            }
        }
    }
}

/// The signals that whoever started us wants ignored, as `nohup` does, a bit for each. Where the kernel
/// does not say, none.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

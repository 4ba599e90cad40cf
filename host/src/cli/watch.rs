//! `precedent watch`
//!
//! News only wakes it: then it looks at everything, as any other verb does, and acts on what it sees. So
//! what it is not told of, for a file system tells nothing, is found when it is time to look anyway;
//! and what it writes itself wakes it once, to find nothing new.
//!
//! | module | what |
//! |---|---|
//! | `witness` | what a pass looked at |
//! | `places` | the names whose change can change that |
//! | `watcher` | what the operating system tells of them |
//! | `events` | what wakes it, and when |
//! | `keep` | keeps a program in step |
//! | `program` | the program that is kept running |
//! | `reload` | the program that is told by a signal |
//! | `report` | what is told, once |

mod events;
mod keep;
mod places;
mod program;
mod reload;
mod report;
mod watcher;
mod witness;

use std::{
    collections::VecDeque,
    ffi::OsString,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::Args as ClapArgs;
use precedent::{Error, Proposal, model::Phase, observe::Machine};

use super::{
    args::{Selection, Writing},
    exit::Exit,
    launch::{self, LaunchArgs},
    selection::manifest_path,
    session::Session,
    text,
};
use events::{Event, Events, Wake};
use keep::{Uses, decided_uses};
use places::Places;
use program::Program;
use reload::ReloadArgs;
use report::{Matter, Report};
use watcher::Watcher;
use witness::Witness;

/// How often to look again where what is to be watched has changed meanwhile.
const MOST_LOOKS: usize = 5;
/// More writes than that in [`A_WHILE`] are a quarrel with somebody who writes too.
const MOST_WRITES: usize = 5;
const A_WHILE: Duration = Duration::from_secs(60);

#[derive(Debug, ClapArgs)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    selection: Selection,
    /// Write what differs; without it, it is only told
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    writing: Writing,
    /// How many seconds may pass without a look, for what no file system tells of
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    every: u64,
    #[command(flatten)]
    launch: LaunchArgs,
    #[command(flatten)]
    reload: ReloadArgs,
    /// How many seconds CMD has to end before it is ended
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=3600))]
    grace: u64,
    /// A program to keep running: as by `exec`, and restarted where it would be given another secret
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

impl WatchArgs {
    fn has_program(&self) -> bool {
        !self.command.is_empty()
    }

    fn phase(&self) -> Phase {
        match (self.has_program(), self.apply) {
            (true, _) => Phase::Start,
            (false, true) => Phase::Repair,
            (false, false) => Phase::Check,
        }
    }
}

pub(crate) fn run(args: &WatchArgs) -> Result<Exit> {
    let session = Session::open("watch", &args.selection, args.phase())?;
    let (send, events) = Events::new(Duration::from_secs(args.every))?;
    let mut watch = Watch {
        args,
        session,
        watcher: Watcher::new(send)?,
        report: Report::new(args.selection.format, args.has_program()),
        program: None,
        uses: None,
        writes: VecDeque::new(),
    };
    let ended = watch.follow(events);
    // However it ends, what it started ends with it.
    if let Some(program) = watch.program.take() {
        program.stop(Duration::from_secs(args.grace));
    }
    ended
}

struct Watch<'w> {
    args: &'w WatchArgs,
    session: Session,
    watcher: Watcher,
    report: Report,
    program: Option<Program>,
    /// What the program uses: since it was started, or told of it.
    uses: Option<Uses>,
    /// When something was written of late.
    writes: VecDeque<Instant>,
}

impl Watch<'_> {
    fn follow(&mut self, mut events: Events) -> Result<Exit> {
        // As things are when it begins, a mistake is the caller's to hear of.
        let first = self.observe()?;
        if let Some(exit) = self.act(first)? {
            return Ok(exit);
        }
        loop {
            match events.next()? {
                Wake::Look => {
                    self.renew()?;
                    if let Some(proposal) = self.look()?
                        && let Some(exit) = self.act(proposal)?
                    {
                        return Ok(exit);
                    }
                }
                Wake::ChildEnded => {
                    if let Some(exit) = self.program.as_mut().and_then(Program::ended) {
                        self.program = None;
                        return Ok(exit);
                    }
                }
                Wake::HandOn(signal) => {
                    self.program.iter().for_each(|program| program.signal(signal));
                }
                Wake::Stop => return Ok(Exit::Done),
            }
        }
    }

    /// Takes manifest and policy as they are now. Where they cannot be used, those before stay in use.
    fn renew(&mut self) -> Result<()> {
        match self.session.anew(&self.args.selection) {
            Ok(session) => {
                self.session = session;
                self.report.over(&self.session, Matter::Definition)
            }
            Err(error) => {
                let message = text::in_one_line(&error);
                if self.report.fault(&self.session, Matter::Definition, &message)? {
                    self.session.record_error(&message);
                }
                Ok(())
            }
        }
    }

    /// Looks, and watches what was looked at. What changes in between is seen or told of: it is watched
    /// first, and looked at again where that is something else by now.
    fn observe(&mut self) -> Result<Proposal> {
        let mut looks = 0;
        loop {
            looks += 1;
            let deaf = self.watcher.arm();
            let witness = Witness::new(self.definition());
            let proposal = self.session.propose_in(&witness)?;
            let moved = self.watcher.watch(Places::of(&witness.asked()));
            if !moved || looks >= MOST_LOOKS {
                match deaf {
                    Some(why) => {
                        let every = self.args.every;
                        let message = format!("{why}; it is looked at every {every} seconds");
                        self.report.fault(&self.session, Matter::Watching, &message)?;
                    }
                    None => self.report.over(&self.session, Matter::Watching)?,
                }
                return Ok(proposal);
            }
        }
    }

    /// The files that say what is looked at, and by which policy.
    fn definition(&self) -> Vec<PathBuf> {
        let deployment = self.session.host.deployment();
        let manifest = manifest_path(self.args.selection.manifest.as_deref());
        let preset = deployment.preset.as_ref().map(|preset| deployment.base.join(preset));
        let preset = preset.filter(|path| path.is_file());
        // Where there is no manifest, one may come.
        let manifest = manifest.unwrap_or_else(|| Path::new("precedent.toml").to_owned());
        let policy = deployment.policy.path(&deployment.base, &Machine::default());
        let all = [Some(manifest), policy, preset].into_iter().flatten();
        all.filter_map(|path| std::path::absolute(path).ok()).collect()
    }

    /// Writes, tells, and keeps the program in step, as is wanted. Says whether that is the end.
    fn act(&mut self, seen: Proposal) -> Result<Option<Exit>> {
        if self.uses.is_none() && self.program.is_none() {
            // What the caller got wrong is said before anything is written.
            launch::check(&self.session, &seen, &self.args.launch)?;
        }
        // What runs by itself was started before us.
        if self.args.reload.reload_signal.is_some() && self.uses.is_none() {
            self.uses = decided_uses(&seen, &self.args.launch.consumer);
        }
        let proposal = if self.must_write(&seen) { self.write(seen)? } else { Some(seen) };
        let Some(proposal) = proposal else { return Ok(None) };
        self.report.seen(&self.session, &proposal)?;
        if self.args.has_program() {
            return self.keep_running(&proposal);
        }
        self.keep_told(&proposal)?;
        Ok(None)
    }

    fn must_write(&self, seen: &Proposal) -> bool {
        let is_interrupted = || seen.snapshot.findings.iter().any(|f| f.code == "run-interrupted");
        self.args.apply
            && !self.session.is_audit()
            && seen.plan().is_some_and(|plan| !plan.is_empty() || is_interrupted())
    }

    /// Plans anew and applies, with the right to write; gives back what is true then, if that can be
    /// said. What fails is told, and tried again at the next look.
    fn write(&mut self, seen: Proposal) -> Result<Option<Proposal>> {
        self.writes.retain(|at| at.elapsed() < A_WHILE);
        if self.writes.len() >= MOST_WRITES {
            let message = format!(
                "what is written is changed back again and again: {MOST_WRITES} times within a minute; it is written {MOST_WRITES} times a minute at most. Who else writes these files?"
            );
            self.report.fault(&self.session, Matter::Writing, &message)?;
            return Ok(Some(seen));
        }
        // One that fails counts too: a platform may have started anew all the same.
        self.writes.push_back(Instant::now());
        let applied = self.session.write(self.args.writing.wait).and_then(|turn| {
            let host = &self.session.host;
            Ok(host.reconcile_in::<Error>(&turn, self.session.phase, |_| Ok(()))?)
        });
        let (proposal, outcome) = match applied {
            Ok(done) => (done.proposal, done.outcome),
            Err(error) => {
                self.report.fault(&self.session, Matter::Writing, &text::in_one_line(&error))?;
                return Ok(Some(seen));
            }
        };
        self.report.over(&self.session, Matter::Writing)?;
        if outcome.changes.is_empty() {
            self.writes.pop_back();
        } else {
            text::backup(&outcome);
            self.report.applied(&self.session, &proposal, &outcome)?;
        }
        self.look()
    }

    /// Looks; a fault is told.
    fn look(&mut self) -> Result<Option<Proposal>> {
        match self.observe() {
            Ok(proposal) => {
                self.report.over(&self.session, Matter::Look)?;
                Ok(Some(proposal))
            }
            Err(error) => {
                let message = text::in_one_line(&error);
                self.report.fault(&self.session, Matter::Look, &message)?;
                Ok(None)
            }
        }
    }
}

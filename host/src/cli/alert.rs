//! Who is told of what a check finds: each problem once, and when all of them are over.
//!
//! A ping hears of every check. Everybody else hears of what is new, for which it is kept what was
//! told. What could not be delivered was not told, and the next check tries again; the check itself
//! comes to what it comes to, whoever hears of it.
//!
//! | module | what |
//! |---|---|
//! | `problem` | what is wrong, each thing under a name that stays |
//! | `due` | what is to be told now, and what is kept of it |
//! | `message` | what is told, as a text and as JSON |
//! | `send` | how it is delivered |
//! | `http` | one request, and those after it where it fails |
//! | `command` | a program that reads JSON |

mod command;
mod due;
pub(crate) mod http;
mod message;
mod problem;
mod send;

use std::collections::BTreeSet;

use precedent::{
    Proposal,
    config::{AlertSpec, Channel, Deployment},
    record::{Told, ToldFile},
};

use super::{
    session::{now, state, warn},
    text,
};
use due::{Due, Round};
use message::{Event, Message};
use problem::Problem;
use send::Sender;

/// The alerts of a deployment.
pub(crate) struct Alerts {
    specs: Vec<AlertSpec>,
    deployment: String,
    sender: Sender,
}

/// What a check came to.
struct Seen<'s> {
    problems: Vec<Problem>,
    /// Whether a problem that is not among them is over: where nothing was decided, nobody knows.
    is_whole: bool,
    now: u64,
    /// Which calls fail, and which go on.
    calls: &'s [String],
    /// The command that mends it.
    remedy: Option<String>,
}

impl Alerts {
    pub(crate) fn of(deployment: &Deployment) -> Self {
        Self {
            specs: deployment.alerts.clone(),
            deployment: text::harmless(&deployment.name),
            sender: Sender::of(deployment),
        }
    }

    /// Tells of what a check saw. `words` are the flags that make another verb look at the same
    /// deployment; `calls` says which calls fail and which go on.
    pub(crate) fn seen(&self, proposal: &Proposal, words: &str, calls: &[String]) {
        let is_to_change = proposal.plan().is_some_and(|plan| !plan.is_empty());
        self.tell(&Seen {
            problems: problem::problems(proposal),
            is_whole: problem::is_whole(proposal),
            now: proposal.snapshot.now,
            calls,
            remedy: is_to_change.then(|| format!("precedent apply{words}")),
        });
    }

    /// Tells that a check could not be made.
    pub(crate) fn fault(&self, error: &anyhow::Error) {
        self.tell(&Seen {
            problems: vec![problem::fault(error)],
            is_whole: false,
            now: now(),
            calls: &[],
            remedy: None,
        });
    }

    fn tell(&self, seen: &Seen<'_>) {
        let is_ping = |spec: &&AlertSpec| matches!(spec.channel, Channel::Ping { .. });
        let (pings, others): (Vec<_>, Vec<_>) = self.specs.iter().partition(is_ping);
        pings.into_iter().for_each(|spec| self.ping(spec, seen));
        if others.is_empty() {
            return;
        }
        let file = match self.kept() {
            Ok(file) => file,
            // Another check tells at this moment: of two at once one is enough.
            Err(Busy) => return,
        };
        let mut told = file.as_ref().map_or_else(Told::default, read);
        told.alerts.retain(|name, _| others.iter().any(|spec| spec.name == *name));
        for spec in others {
            let before = told.clone();
            let telling = told.alerts.remove(&spec.name);
            let keys = seen.worth(spec).map(|problem| problem.key.clone()).collect();
            let round = Round {
                telling,
                keys,
                is_whole: seen.is_whole,
                now: seen.now,
                repeat: spec.repeat,
            };
            let due = round.due();
            let is_delivered = match due {
                Due::Nothing => true,
                Due::Told(event) => self.deliver(spec, &self.message(spec, seen, event, &round)),
            };
            if let Some(telling) = round.after(due, is_delivered) {
                told.alerts.insert(spec.name.clone(), telling);
            }
            // At once: whatever becomes of this run, what was told is not told again.
            if let Some(file) = file.as_ref().filter(|_| told != before)
                && let Err(error) = file.write(&told)
            {
                warn(&format!("what was told is told again: {error}"));
            }
        }
    }

    fn ping(&self, spec: &AlertSpec, seen: &Seen<'_>) {
        let keys: BTreeSet<String> = seen.worth(spec).map(|problem| problem.key.clone()).collect();
        let event = if keys.is_empty() { Event::Recovered } else { Event::Problem };
        let round = Round { telling: None, keys, is_whole: true, now: seen.now, repeat: None };
        self.deliver(spec, &self.message(spec, seen, event, &round));
    }

    fn message<'m>(
        &'m self,
        spec: &AlertSpec,
        seen: &'m Seen<'_>,
        event: Event,
        round: &Round,
    ) -> Message<'m> {
        let problems = seen.worth(spec).map(|problem| (problem, !round.knows(&problem.key)));
        Message {
            deployment: &self.deployment,
            event,
            since: round.since(),
            now: seen.now,
            problems: problems.collect(),
            calls: if event == Event::Recovered { &[] } else { seen.calls },
            remedy: seen.remedy.as_deref(),
        }
    }

    /// Delivers a message, and says whether that is done. Why it is not is a warning.
    fn deliver(&self, spec: &AlertSpec, message: &Message<'_>) -> bool {
        match self.sender.send(spec, message) {
            Ok(()) => true,
            Err(failure) => {
                let again = match spec.channel {
                    Channel::Ping { .. } => "",
                    _ => "; the next check tries again",
                };
                warn(&format!("alert `{}` is not delivered: {}{again}", spec.name, failure.reason));
                false
            }
        }
    }

    /// What was told, for this run alone. Where it cannot be kept, all is told as if for the first time.
    fn kept(&self) -> Result<Option<ToldFile>, Busy> {
        let Some(state) = state() else {
            warn("each check tells all problems again: there is no folder to keep what was told");
            return Ok(None);
        };
        match state.told(&self.deployment) {
            Ok(Some(file)) => Ok(Some(file)),
            Ok(None) => Err(Busy),
            Err(error) => {
                warn(&format!("each check tells all problems again: {error}"));
                Ok(None)
            }
        }
    }
}

impl Seen<'_> {
    /// The problems that an alert is there for.
    fn worth<'s>(&'s self, spec: &AlertSpec) -> impl Iterator<Item = &'s Problem> + use<'s> {
        let least = spec.least;
        self.problems.iter().filter(move |problem| problem.severity >= least)
    }
}

/// Another run has what was told.
struct Busy;

fn read(file: &ToldFile) -> Told {
    let (told, damage) = file.read();
    if let Some(error) = damage {
        warn(&error.to_string());
    }
    told
}

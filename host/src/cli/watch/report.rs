//! What is told: each state of things once, when it is another; each fault once, and when it is over.

use std::{collections::BTreeMap, ffi::OsString, io::Write};

use anyhow::Result;
use precedent::{Proposal, apply::Outcome};
use serde_json::{Value, json};

use super::super::{
    args::Format,
    json,
    launch::Held,
    session::{Session, now},
    text,
};

/// What a fault is about. Of each there is one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Matter {
    /// Manifest and policy.
    Definition,
    /// Observing and deciding.
    Look,
    /// Being told of changes.
    Watching,
    Writing,
    /// The program that is kept in step.
    Program,
}

impl Matter {
    /// What is true once the fault is over.
    fn recovered(self) -> &'static str {
        match self {
            Self::Definition => "manifest and policy can be used again, and are",
            Self::Look => "the policy decides again",
            Self::Watching => "all changes are told of again",
            Self::Writing => "it can be written again",
            Self::Program => "the program has what it should",
        }
    }
}

pub(super) struct Report {
    format: Format,
    /// Standard output is the program's own.
    to_stderr: bool,
    state: Option<Value>,
    lines: Vec<String>,
    faults: BTreeMap<Matter, String>,
}

impl Report {
    pub(super) fn new(format: Format, to_stderr: bool) -> Self {
        Self { format, to_stderr, state: None, lines: Vec::new(), faults: BTreeMap::new() }
    }

    /// Tells what was seen, where it is not what was told last. The journal has it by then, for whoever
    /// reads there what it was told of here.
    pub(super) fn seen(&mut self, session: &Session, proposal: &Proposal) -> Result<()> {
        let state = json::watch(session, proposal, "seen");
        if self.state.as_ref() == Some(&state) {
            return Ok(());
        }
        session.record(proposal, None);
        let lines = text::watched(session, proposal);
        match self.format {
            Format::Json => self.document(state.clone())?,
            Format::Text if self.state.is_some() && lines == self.lines => {}
            Format::Text => {
                // What differs: of what was said before, only the state of it all is said again.
                let news = lines.iter().skip(1).filter(|line| !self.lines.contains(line));
                let told: Vec<&String> = lines.iter().take(1).chain(news).collect();
                for line in told {
                    self.line(session, line)?;
                }
            }
        }
        (self.state, self.lines) = (Some(state), lines);
        Ok(())
    }

    /// Tells what was written. What is true then is told again, even if it was before.
    pub(super) fn applied(
        &mut self,
        session: &Session,
        proposal: &Proposal,
        outcome: &Outcome,
    ) -> Result<()> {
        self.state = None;
        match self.format {
            Format::Json => {
                let mut document = json::watch(session, proposal, "applied");
                add(&mut document, "outcome", json!(outcome.changes));
                add(&mut document, "run", json!(outcome.run));
                self.document(document)
            }
            Format::Text => {
                let changes = proposal.plan().into_iter().flat_map(|plan| plan.changes());
                changes.into_iter().try_for_each(|change| {
                    self.line(
                        session,
                        &format!("written: {}: {}", change.in_words(), change.reason),
                    )
                })
            }
        }
    }

    /// Tells of a fault, unless it was told. Gives back whether it was not.
    pub(super) fn fault(
        &mut self,
        session: &Session,
        matter: Matter,
        message: &str,
    ) -> Result<bool> {
        if self.faults.get(&matter).is_some_and(|told| told == message) {
            return Ok(false);
        }
        self.faults.insert(matter, message.to_owned());
        self.event(session, "fault", &message_of(matter, message), json!({"message": message}))?;
        Ok(true)
    }

    /// Tells that a fault is over, if there was one.
    pub(super) fn over(&mut self, session: &Session, matter: Matter) -> Result<()> {
        match self.faults.remove(&matter) {
            Some(_) => {
                let message = matter.recovered();
                self.event(session, "recovered", message, json!({"message": message}))
            }
            None => Ok(()),
        }
    }

    /// Tells what becomes of the program.
    pub(super) fn program(
        &self,
        session: &Session,
        event: &str,
        pid: u32,
        why: &str,
    ) -> Result<()> {
        let because = if why.is_empty() { String::new() } else { format!(": {why}") };
        let line = format!("{event} process {pid}{because}");
        self.event(session, event, &line, json!({"pid": pid, "message": why}))
    }

    /// Tells why the program is not started at all.
    pub(super) fn held(&self, session: &Session, command: &[OsString], held: &Held) -> Result<()> {
        match self.format {
            Format::Json => {
                let parts = json!({"message": held.message, "remedy": held.remedy});
                self.event(session, "held", "", parts)
            }
            Format::Text => self.print(|out| text::held(out, command, held)),
        }
    }

    fn event(&self, session: &Session, event: &str, line: &str, parts: Value) -> Result<()> {
        match self.format {
            Format::Json => self.document(json::watch_event(session, event, parts)),
            Format::Text => self.line(session, line),
        }
    }

    fn document(&self, mut document: Value) -> Result<()> {
        add(&mut document, "at", json!(now()));
        self.print(|out| writeln!(out, "{document}"))
    }

    fn line(&self, session: &Session, line: &str) -> Result<()> {
        self.print(|out| text::stamped(out, session, line))
    }

    fn print(&self, print: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
        if self.to_stderr {
            // A program runs on whether or not anybody reads of it: the journal has what is told here.
            let mut out = anstream::stderr().lock();
            let _ = print(&mut out).and_then(|()| out.flush());
        } else {
            let mut out = anstream::stdout().lock();
            print(&mut out)?;
            out.flush()?;
        }
        Ok(())
    }
}

fn message_of(matter: Matter, message: &str) -> String {
    match matter {
        Matter::Definition => format!("what was in use stays in use: {message}"),
        _ => message.to_owned(),
    }
}

fn add(document: &mut Value, key: &str, value: Value) {
    if let Some(document) = document.as_object_mut() {
        document.insert(key.to_owned(), value);
    }
}

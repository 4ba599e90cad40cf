//! Keeps a program in step: one that was started here, or one that runs by itself.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use precedent::{Proposal, Ruling, secret::Fingerprint};

use super::{
    super::{
        exit::Exit,
        launch::{Given, given, uses},
        text,
    },
    Watch,
    program::Program,
    reload::{self, ReloadArgs},
    report::Matter,
};

/// What a program uses of each credential.
pub(super) type Uses = BTreeMap<String, Option<Fingerprint>>;

impl Watch<'_> {
    /// Starts the program, and restarts it where it would use another secret. Where it could not start
    /// as things are, it goes on as it was started.
    pub(super) fn keep_running(&mut self, proposal: &Proposal) -> Result<Option<Exit>> {
        let given = match given(&self.session, proposal, &self.args.launch) {
            // The manifest may have another name for it by now.
            Err(error) if self.program.is_some() => {
                let message = text::in_one_line(&error);
                self.report.fault(&self.session, Matter::Program, &message)?;
                return Ok(None);
            }
            given => given?,
        };
        if self.session.is_audit() {
            return self.keep_audited(given.err().map(|held| held.message));
        }
        let given = match given {
            Ok(given) => given,
            Err(held) if self.program.is_none() => {
                self.report.held(&self.session, &self.args.command, &held)?;
                self.session.record_error(&held.message);
                return Ok(Some(held.exit));
            }
            Err(held) => {
                let message = format!("it goes on as it was started: {}", held.message);
                self.report.fault(&self.session, Matter::Program, &message)?;
                return Ok(None);
            }
        };
        self.report.over(&self.session, Matter::Program)?;
        let why = match &self.uses {
            None => "",
            Some(uses) if is_other(uses, &given.uses) => "it would use another secret",
            Some(_) => return Ok(None),
        };
        if let Some(program) = self.program.take() {
            self.report.program(&self.session, "stopping", program.id(), why)?;
            program.stop(Duration::from_secs(self.args.grace));
        }
        self.start(Some(&given), why)?;
        self.uses = Some(given.uses);
        Ok(None)
    }

    /// Audited, a program starts as it would without us, and is left alone.
    fn keep_audited(&mut self, held: Option<String>) -> Result<Option<Exit>> {
        match held {
            Some(message) => {
                self.report.fault(&self.session, Matter::Program, &format!("audit: {message}"))?;
            }
            None => self.report.over(&self.session, Matter::Program)?,
        }
        if self.program.is_none() {
            self.start(None, "audit: as it is")?;
        }
        Ok(None)
    }

    fn start(&mut self, given: Option<&Given>, why: &str) -> Result<()> {
        let program = self.program.insert(Program::start(&self.args.command, given)?);
        let id = program.id();
        self.report.program(&self.session, "started", id, why)
    }

    /// Signals the program that runs by itself, where it would use another secret.
    pub(super) fn keep_told(&mut self, proposal: &Proposal) -> Result<()> {
        let ReloadArgs { reload_signal: Some(signal), pid_file: Some(file) } = &self.args.reload
        else {
            return Ok(());
        };
        let Some(now) = decided_uses(proposal, &self.args.launch.consumer) else { return Ok(()) };
        if !self.uses.as_ref().is_some_and(|before| is_other(before, &now)) {
            return Ok(());
        }
        let why = "it would use another secret";
        if self.session.is_audit() {
            let message = format!("audit: no signal, although {why}");
            self.report.fault(&self.session, Matter::Program, &message)?;
            self.uses = Some(now);
            return Ok(());
        }
        match reload::signal(file, *signal) {
            Ok(pid) => {
                self.report.over(&self.session, Matter::Program)?;
                self.report.program(&self.session, "signalled", pid.unsigned_abs(), why)?;
                self.uses = Some(now);
            }
            // Tried again at the next look: who does not run reads it when it starts, but a file may be
            // another's for a moment only.
            Err(error) => {
                let message = text::in_one_line(&error);
                self.report.fault(&self.session, Matter::Program, &message)?;
            }
        }
        Ok(())
    }
}

pub(super) fn decided_uses(proposal: &Proposal, consumer: &str) -> Option<Uses> {
    matches!(proposal.ruling, Ruling::Decided(..)).then(|| uses(proposal, consumer))
}

/// Whether there is another secret now. One that is gone is no other: a program that has had one is
/// better off than one that has none.
fn is_other(before: &Uses, now: &Uses) -> bool {
    now.iter()
        .any(|(credential, now)| now.is_some() && before.get(credential).copied().flatten() != *now)
}

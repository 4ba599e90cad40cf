//! The right to write to a deployment: its lock, and what a run that was killed left to be mended.

use std::time::Duration;

use super::{Installation, Proposal, event::Event};
use crate::{
    Error,
    apply::{
        ApplyError, Outcome, Platforms, Recovery, Run, Runs, RunsError, apply, sweep, unchanged,
    },
    config::Mode,
    model::Phase,
    record::{Record, StateFolder},
};

/// How long to wait before saying so.
const QUIET: Duration = Duration::from_secs(1);

/// The right to write to a deployment: one process has it at a time, for as long as it keeps this.
#[derive(Debug)]
pub struct Turn<'i> {
    installation: &'i Installation,
    /// None where nothing is written, and where nothing can be kept: then only one file can be changed,
    /// and the gateway should start.
    runs: Option<Runs>,
}

impl<'i> Turn<'i> {
    pub(super) fn take(installation: &'i Installation, wait: Duration) -> Result<Self, Error> {
        let turn = Self { installation, runs: lock(installation, wait)? };
        turn.mend()?;
        Ok(turn)
    }

    /// The runs that are kept, if any are.
    #[must_use]
    pub fn runs(&self) -> Option<&Runs> {
        self.runs.as_ref()
    }

    /// Mends what was interrupted. What could not be put back is not built upon.
    ///
    /// # Errors
    ///
    /// Where a file can neither be left as it is nor be put back.
    pub fn mend(&self) -> Result<(), Error> {
        let Some(runs) = &self.runs else { return Ok(()) };
        for recovery in runs.recover(&self.installation.key.key)? {
            self.tell(&recovery);
        }
        Ok(())
    }

    fn tell(&self, recovery: &Recovery) {
        let Self { installation, .. } = self;
        installation.observer.tell(Event::Recovered(recovery));
        let (now, name) = (installation.now(), &installation.deployment.name);
        let mut record = Record::begun(now, "recover", name, Phase::Repair);
        record.recovery = Some(recovery);
        installation.record(&record);
    }

    /// Applies what was proposed. A proposal without a plan has nothing to apply, and in a deployment
    /// that is audited nothing is written. Where nothing is kept another run may write at the same time,
    /// only one file can be changed, and it cannot be taken back.
    ///
    /// # Errors
    ///
    /// Where a file moved or could not be written; each is then as it was.
    pub fn apply(&self, proposal: &Proposal) -> Result<Outcome, ApplyError> {
        let Self { installation, runs } = self;
        let outcome = match (proposal.plan(), installation.deployment.mode) {
            (Some(plan), Mode::Enforce) => {
                sweep(&proposal.snapshot);
                let (deployment, seen) = (&installation.deployment, &proposal.snapshot);
                let platforms = Platforms::of(deployment, seen, &*installation.world);
                apply(plan, &proposal.vault, &installation.key.key, runs.as_ref(), platforms)?
            }
            (Some(plan), Mode::Audit) => unchanged(plan),
            (None, _) => Outcome::default(),
        };
        installation.observer.tell(Event::Applied(&outcome));
        Ok(outcome)
    }

    /// Takes back what a run changed: see [`Runs::roll_back`]. It is recorded.
    ///
    /// # Errors
    ///
    /// Where nothing is kept, where the run is not ours, and where a file has been changed since.
    pub fn roll_back(&self, run: &Run) -> Result<Outcome, Error> {
        let Self { installation, runs } = self;
        let Some(runs) = runs else {
            return Err(RunsError::Nothing("what was kept cannot be read".to_owned()).into());
        };
        let applied = runs.roll_back(run, &installation.key.key);
        let mut record = installation.begun(Phase::Repair);
        record.applied(&applied);
        installation.record(&record);
        Ok(applied?)
    }
}

/// Takes the deployment's lock.
fn lock(installation: &Installation, wait: Duration) -> Result<Option<Runs>, Error> {
    let Installation { deployment, observer, verb, .. } = installation;
    if deployment.mode == Mode::Audit {
        return Ok(None);
    }
    // What is sealed with a key that is gone tomorrow can be opened by nobody.
    let Some(state) = installation.state.as_ref().filter(|_| installation.key.is_kept) else {
        observer.tell(Event::NoTurn(StateFolder::NONE));
        return Ok(None);
    };
    let lock = |wait| Runs::lock(state, &deployment.name, verb, deployment.backups, wait);
    let locked = match lock(wait.min(QUIET)) {
        Err(error @ RunsError::Locked { .. }) if wait > QUIET => {
            observer.tell(Event::Waiting(&error));
            lock(wait - QUIET)
        }
        locked => locked,
    };
    match locked {
        Ok(runs) => Ok(Some(runs)),
        Err(error @ RunsError::Folder { .. }) => {
            observer.tell(Event::NoTurn(&error.to_string()));
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

//! Everything in one call: lock, look, decide, check, plan, write, record, and look again.

use super::{Host, Proposal, Turn, event::Event};
use crate::{
    Error,
    apply::{ApplyError, ApplyFault, Outcome},
    config::Mode,
    model::Phase,
};

/// How often to look again where somebody else wrote in the meantime.
const MOST_TRIES: usize = 3;

/// What a deployment was reconciled to.
#[derive(Debug)]
#[non_exhaustive]
pub struct Reconciled {
    /// What was seen and decided, and acted on.
    pub proposal: Proposal,
    /// What became of each change.
    pub outcome: Outcome,
    /// What is true now, as a new run would see it; none where nothing was written, and where that could
    /// not be seen.
    pub after: Option<Proposal>,
    /// Why it is not known what is true now, although something was written.
    pub unseen: Option<Error>,
}

impl Reconciled {
    /// What is true now, as far as it is known.
    #[must_use]
    pub fn now(&self) -> &Proposal {
        self.after.as_ref().unwrap_or(&self.proposal)
    }
}

impl Host {
    /// Brings every copy into agreement: takes the right to write, mends what was interrupted, observes,
    /// decides, checks, plans, applies, records, and looks again. Where somebody else writes in between, it
    /// starts anew, three times at most. A refusal and a violation are a
    /// [`Ruling`](super::Ruling) of the proposal, and nothing is written then.
    ///
    /// # Errors
    ///
    /// Where the policy cannot answer, another run has the deployment, or a file cannot be written; each
    /// is then as it was.
    pub fn reconcile(&self, phase: Phase) -> Result<Reconciled, Error> {
        self.reconcile_in(&self.installation().turn(phase)?, phase, |_| Ok(()))
    }

    /// The same in a turn that was taken already, with a last word before anything is written, each time
    /// that it was looked at anew.
    ///
    /// # Errors
    ///
    /// The same, and what `is_meant` says.
    pub fn reconcile_in<E: From<Error>>(
        &self,
        turn: &Turn<'_>,
        phase: Phase,
        mut is_meant: impl FnMut(&Proposal) -> Result<(), E>,
    ) -> Result<Reconciled, E> {
        let mut tries = 0;
        let (proposal, applied) = loop {
            tries += 1;
            let proposal = self.propose(phase)?;
            is_meant(&proposal)?;
            match turn.apply(&proposal) {
                Err(ApplyError { fault: ApplyFault::Moved { path }, .. }) if tries < MOST_TRIES => {
                    self.installation().observer.tell(Event::Moved(&path));
                    turn.mend()?;
                }
                applied => break (proposal, applied),
            }
        };
        self.record(&proposal, Some(&applied));
        let outcome = applied.map_err(Error::from)?;
        let is_written = !outcome.changes.is_empty() && self.deployment().mode == Mode::Enforce;
        let (after, unseen) = match is_written.then(|| self.propose(phase)) {
            None => (None, None),
            Some(Ok(after)) => (Some(after), None),
            Some(Err(error)) => (None, Some(error)),
        };
        Ok(Reconciled { proposal, outcome, after, unseen })
    }
}

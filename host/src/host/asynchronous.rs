//! The same from tokio.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::task::spawn_blocking;

use super::{Host, Proposal, Reconciled};
use crate::{
    Error,
    apply::Outcome,
    decide::Answer,
    model::{Phase, Snapshot},
    observe::Observed,
};

/// A [`Host`] whose stages run on tokio's threads for what blocks.
///
/// Safe to cancel: where the future is dropped before anything is written, nothing is; what is being
/// written goes on to its end on its thread, so that nothing is left half written. What it came to is in the
/// journal, and the observer is told.
///
/// ```
/// # use precedent::{AsyncHost, Host, model::Phase, observe::Memory};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let host = AsyncHost::from(Host::builder().policy("helm").world(Memory::default()).build()?);
/// let proposal = host.propose(Phase::Start).await?;
/// assert!(proposal.resolve("gateway", "gateway-token").is_err(), "nothing holds one");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct AsyncHost(Host);

impl From<Host> for AsyncHost {
    fn from(host: Host) -> Self {
        Self(host)
    }
}

impl AsyncHost {
    /// The host, whose methods block.
    #[must_use]
    pub fn blocking(&self) -> &Host {
        &self.0
    }

    /// See [`Host::observe`].
    ///
    /// # Errors
    ///
    /// Where the runtime is shut down.
    pub async fn observe(&self, phase: Phase) -> Result<Observed, Error> {
        self.run(move |host| Ok(host.observe(phase))).await
    }

    /// See [`Host::decide`].
    ///
    /// # Errors
    ///
    /// The same, and where the runtime is shut down.
    pub async fn decide(&self, snapshot: Arc<Snapshot>) -> Result<Answer, Error> {
        self.run(move |host| host.decide(&snapshot)).await
    }

    /// See [`Host::plan`].
    ///
    /// # Errors
    ///
    /// The same, and where the runtime is shut down.
    pub async fn plan(&self, observed: Observed) -> Result<Proposal, Error> {
        self.run(move |host| host.plan(observed)).await
    }

    /// See [`Host::propose`].
    ///
    /// # Errors
    ///
    /// The same, and where the runtime is shut down.
    pub async fn propose(&self, phase: Phase) -> Result<Proposal, Error> {
        self.run(move |host| host.propose(phase)).await
    }

    /// See [`Host::apply`].
    ///
    /// # Errors
    ///
    /// The same, and where the runtime is shut down.
    pub async fn apply(&self, proposal: Arc<Proposal>) -> Result<Outcome, Error> {
        self.run(move |host| host.apply(&proposal)).await
    }

    /// See [`Host::reconcile`].
    ///
    /// # Errors
    ///
    /// The same, and where the runtime is shut down.
    pub async fn reconcile(&self, phase: Phase) -> Result<Reconciled, Error> {
        let wanted = Wanted::default();
        let still = wanted.clone();
        let reconciled = self.run(move |host| {
            let is_meant = |_: &Proposal| still.or_stop();
            still.or_stop()?;
            let turn = host.installation().turn(phase)?;
            host.reconcile_in(&turn, phase, is_meant)
        });
        let _dropped = Dropped(wanted);
        reconciled.await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Host) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let host = self.0.clone();
        match spawn_blocking(move || work(&host)).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::ShutDown),
            },
        }
    }
}

/// Whether anybody waits for a run.
#[derive(Debug, Clone, Default)]
struct Wanted(Arc<AtomicBool>);

/// Says when it goes that nobody does.
struct Dropped(Wanted);

impl Wanted {
    /// Goes on only where somebody does. Nobody sees the error.
    fn or_stop(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Acquire) { Err(Error::ShutDown) } else { Ok(()) }
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Release);
    }
}

//! The policy file and the copies of the token, looked at while requests are served.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use precedent::{Reloading, model::Phase};
use tokio::{
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

use crate::admission::Admission;

/// What the requests share.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) reloading: Reloading,
    admission: RwLock<Arc<Admission>>,
    /// Why the token stays as it is, if anything is wrong.
    problem: RwLock<Option<String>>,
    grace: Duration,
}

impl Gateway {
    /// Brings every copy into agreement and resolves the token. A refusal is an error: then there is no
    /// gateway.
    pub(crate) fn start(reloading: Reloading, grace: Duration) -> anyhow::Result<Self> {
        let reconciled = reloading.reconcile(Phase::Start)?;
        let admission = Admission::of(reconciled.now(), None, grace)?;
        Ok(Self {
            reloading,
            admission: RwLock::new(Arc::new(admission)),
            problem: RwLock::default(),
            grace,
        })
    }

    /// What admits now: one policy and one token.
    pub(crate) fn admission(&self) -> Arc<Admission> {
        Arc::clone(&self.admission.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why the token stays as it is, if anything is wrong.
    pub(crate) fn problem(&self) -> Option<String> {
        self.problem.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at both. Whatever is wrong, the last good ones go on.
    fn look(&self) {
        self.reloading.reload();
        let problem = self.resolve().err().map(|error| format!("{error:#}"));
        *self.problem.write().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    fn resolve(&self) -> anyhow::Result<()> {
        let proposal = self.reloading.propose(Phase::Check)?;
        let before = self.admission();
        let next = Admission::of(&proposal, Some(&before), self.grace)?;
        if !next.is_same(&before) {
            // Policy and token change in one step.
            *self.admission.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        }
        Ok(())
    }
}

/// Looks again and again.
pub(crate) async fn follow(gateway: Arc<Gateway>, every: Duration) {
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let gateway = Arc::clone(&gateway);
        // A policy is compiled and asked there: no request waits for it.
        if spawn_blocking(move || gateway.look()).await.is_err() {
            return;
        }
    }
}

//! A policy file that may change while the program runs.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use serde::Serialize;

use super::{Event, Host, Proposal, Reconciled, Ruling, rule};
use crate::{
    Error,
    artifact::{self, digest_of},
    model::{
        Phase, Snapshot,
        named::{Difference, Words, differences},
    },
};

/// How long a policy that was rejected is left alone while its file stays as it is. What kept it from
/// deciding may pass: a machine that was busy, an installation that was not in order.
const AGAIN: Duration = Duration::from_secs(60);

/// A host whose policy is a file that may be replaced while the program runs. A new one decides only
/// after it was loaded, has taken the settings, and has decided on what was last seen within its
/// limits and the host's rules; till then, and where it does not, the last good one goes on.
///
/// It starts no thread: call [`Reloading::reload`] now and then, or when the file changes.
#[derive(Debug)]
pub struct Reloading {
    path: Option<PathBuf>,
    state: RwLock<State>,
    /// One reload at a time. Decisions do not wait for it.
    reload: Mutex<()>,
}

#[derive(Debug)]
struct State {
    host: Host,
    since: u64,
    flips: Vec<Difference>,
    rejected: Option<Rejected>,
    seen: Option<Arc<Snapshot>>,
}

/// What came of a look at the policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reloaded {
    /// The file is as it was at the last look.
    Unchanged,
    /// Another policy decides from now on.
    Swapped,
    /// The last good one goes on; [`Reloading::status`] says why.
    Rejected,
}

/// Which policy decides, and which one does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ReloadStatus {
    /// The policy that decides.
    pub active: Active,
    /// What was in the file at the last look, if that was not taken.
    pub rejected: Option<Rejected>,
}

/// The policy that decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Active {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Digest of its component.
    pub digest: String,
    /// Since when it decides, in seconds since 1970.
    pub since: u64,
    /// Where it decided otherwise than the one before it, on what was seen last.
    pub flips: Vec<Difference>,
}

/// A policy that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rejected {
    /// Digest of the file's bytes; none where it cannot be read.
    pub digest: Option<String>,
    /// Why, and what helps.
    pub reason: String,
    /// When, in seconds since 1970.
    pub at: u64,
}

impl Reloading {
    /// Follows the file that a host's policy was loaded from. A policy that is shipped, or was given as
    /// bytes, never changes.
    #[must_use]
    pub fn new(host: Host) -> Self {
        let path =
            host.deployment().policy.path(&host.deployment().base, &*host.installation.world);
        let since = host.installation.now();
        let state = State { host, since, flips: Vec::new(), rejected: None, seen: None };
        Self { path, state: RwLock::new(state), reload: Mutex::default() }
    }

    /// The host as it is now. Whoever asks it twice asks the same policy twice.
    #[must_use]
    pub fn host(&self) -> Host {
        self.read().host.clone()
    }

    /// Observes, decides, checks and plans, and keeps what was seen for the next policy to be tried on.
    ///
    /// # Errors
    ///
    /// Those of [`Host::plan`].
    pub fn propose(&self, phase: Phase) -> Result<Proposal, Error> {
        let proposal = self.host().propose(phase)?;
        self.remember(&proposal);
        Ok(proposal)
    }

    /// Brings every copy into agreement, and keeps what was seen for the next policy to be tried on.
    ///
    /// # Errors
    ///
    /// Those of [`Host::reconcile`].
    pub fn reconcile(&self, phase: Phase) -> Result<Reconciled, Error> {
        let reconciled = self.host().reconcile(phase)?;
        self.remember(reconciled.now());
        Ok(reconciled)
    }

    fn remember(&self, proposal: &Proposal) {
        let seen = Some(Arc::new(proposal.snapshot.clone()));
        self.write().seen = seen;
    }

    /// Which policy decides, and which one does not.
    #[must_use]
    pub fn status(&self) -> ReloadStatus {
        let state = self.read();
        let policy = state.host.policy();
        ReloadStatus {
            active: Active {
                name: policy.about().name.clone(),
                version: policy.about().version.clone(),
                digest: policy.digest().to_owned(),
                since: state.since,
                flips: state.flips.clone(),
            },
            rejected: state.rejected.clone(),
        }
    }

    /// Looks at the file, and has what is in it decide from now on if it is good. What is new is told to
    /// the host's observer, which must not reload in turn: it would wait for itself.
    pub fn reload(&self) -> Reloaded {
        let _one = self.reload.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(path) = &self.path else { return Reloaded::Unchanged };
        let host = self.host();
        let now = host.installation.now();
        let found = artifact::read(path, host.deployment().limits).map(|bytes| digest_of(&bytes));
        let digest = match found {
            Ok(digest) => digest,
            Err(error) => return self.reject(None, error.to_string(), now),
        };
        if digest == host.policy().digest() {
            // What was wrong was taken back.
            self.write().rejected = None;
            return Reloaded::Unchanged;
        }
        let is_known = self.read().rejected.as_ref().is_some_and(|rejected| {
            rejected.digest.as_ref() == Some(&digest)
                && now < rejected.at.saturating_add(AGAIN.as_secs())
        });
        if is_known {
            return Reloaded::Unchanged;
        }
        match self.tried(&host) {
            Ok((host, flips)) => {
                let observer = host.installation.observer.clone();
                let digest = host.policy().digest().to_owned();
                {
                    let mut state = self.write();
                    let seen = state.seen.take();
                    *state = State { host, since: now, flips, rejected: None, seen };
                }
                observer.tell(Event::PolicySwapped(&digest));
                Reloaded::Swapped
            }
            Err(reason) => self.reject(Some(digest), reason, now),
        }
    }

    /// What is in the file as a host, and where it decides otherwise than the one that does now.
    fn tried(&self, active: &Host) -> Result<(Host, Vec<Difference>), String> {
        let failed = |error: Error| error.in_one_line();
        let installation = Arc::clone(&active.installation);
        let candidate = Host::open(installation).map_err(failed)?;
        let seen = self.read().seen.clone();
        let seen = seen.unwrap_or_else(|| Arc::new(active.observe(Phase::Check).snapshot));
        let ruling = rule(&candidate.policy, &active.deployment().grants, &seen).map_err(failed)?;
        let decision = match ruling {
            Ruling::Decided(decision, _) => decision,
            // It would not have let the program start that runs.
            Ruling::Refused(refusal) => return Err(format!("it refuses: {}", refusal.reason)),
            Ruling::Violated(_, violations) => return Err(violations.to_string()),
        };
        // One that cannot answer any more is no reason against another that can.
        let flips = active
            .policy
            .decide(&seen)
            .map(|was| differences(&seen, &was, &Ok(decision), Words::Aside));
        Ok((candidate, flips.unwrap_or_default()))
    }

    fn reject(&self, digest: Option<String>, reason: String, at: u64) -> Reloaded {
        let is_known = {
            let mut state = self.write();
            let before = state.rejected.as_ref().map(|before| (&before.digest, &before.reason));
            let is_known = before == Some((&digest, &reason));
            state.rejected = Some(Rejected { digest, reason: reason.clone(), at });
            is_known
        };
        if is_known {
            return Reloaded::Unchanged;
        }
        self.host().installation.observer.tell(Event::PolicyRejected(&reason));
        Reloaded::Rejected
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

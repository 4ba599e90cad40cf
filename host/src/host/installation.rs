//! A deployment on this machine, with what is kept of its runs. It knows no policy.

use std::{
    fmt,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use secrecy::SecretString;

use super::{
    Turn,
    event::{Event, Observer},
};
use crate::{
    Error,
    apply::Runs,
    artifact::{self, Cache},
    config::Deployment,
    decide::{Engine, Policy},
    model::Phase,
    observe::{Observed, World, observe},
    record::{OwnKey, Record, StateFolder},
};

/// Where observations come from, from any thread.
pub(super) type SharedWorld = Arc<dyn World + Send + Sync>;
/// What time it is.
pub(super) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A deployment on this machine: where it is looked at, what is kept of its runs, and who is told. What
/// needs no policy is done with it alone, such as taking a run back.
pub struct Installation {
    pub(super) deployment: Deployment,
    pub(super) engine: Option<Engine>,
    pub(super) key: OwnKey,
    pub(super) state: Option<StateFolder>,
    pub(super) cache: Option<PathBuf>,
    pub(super) world: SharedWorld,
    pub(super) clock: Clock,
    pub(super) observer: Observer,
    pub(super) verb: String,
    pub(super) wait: Duration,
}

impl fmt::Debug for Installation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Installation")
            .field("deployment", &self.deployment.name)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Installation {
    /// The deployment.
    #[must_use]
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Where it is looked at.
    #[cfg(feature = "fleet")]
    pub(crate) fn world(&self) -> &dyn World {
        &*self.world
    }

    /// The same installation, whose runs go by another name.
    #[cfg(feature = "fleet")]
    pub(crate) fn for_runs_of(&self, verb: String) -> Self {
        Self { verb, ..self.with_deployment(self.deployment.clone()) }
    }

    /// The key with which its fingerprints are made.
    #[cfg(feature = "fleet")]
    pub(crate) fn own_key(&self) -> &crate::secret::Key {
        &self.key.key
    }

    /// What is kept of its runs, if anything is.
    #[must_use]
    pub fn state(&self) -> Option<&StateFolder> {
        self.state.as_ref()
    }

    /// What time it is, in seconds since 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        (self.clock)().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Observes. A run that was killed, and that none has mended yet, is among the findings.
    #[must_use]
    pub fn observe(&self, phase: Phase) -> Observed {
        self.observe_deployment(&self.deployment, phase)
    }

    /// Observes another world than its own: what would be if a variable were set, say.
    #[must_use]
    pub fn observe_in(&self, world: &dyn World, phase: Phase) -> Observed {
        self.observe_all(&self.deployment, world, phase)
    }

    /// The same installation with another deployment: as its manifest is by now, say. The key stays, so
    /// that fingerprints can be compared.
    #[must_use]
    pub fn with_deployment(&self, deployment: Deployment) -> Self {
        Self {
            deployment,
            engine: self.engine.clone(),
            key: self.key.clone(),
            state: self.state.clone(),
            cache: self.cache.clone(),
            world: Arc::clone(&self.world),
            clock: Arc::clone(&self.clock),
            observer: self.observer.clone(),
            verb: self.verb.clone(),
            wait: self.wait,
        }
    }

    /// Observes as if one attribute of the deployment were another: what would be under another
    /// version, say.
    #[must_use]
    pub fn observe_as(&self, phase: Phase, (name, value): (&str, &str)) -> Observed {
        let mut deployment = self.deployment.clone();
        deployment.attributes.insert(name.to_owned(), value.to_owned());
        self.observe_deployment(&deployment, phase)
    }

    fn observe_deployment(&self, deployment: &Deployment, phase: Phase) -> Observed {
        self.observe_all(deployment, &*self.world, phase)
    }

    fn observe_all(&self, deployment: &Deployment, world: &dyn World, phase: Phase) -> Observed {
        let mut seen = observe(deployment, world, &self.key.key, phase, self.now());
        let interrupted =
            self.state.as_ref().and_then(|state| Runs::interruption(state, &deployment.name));
        seen.snapshot.findings.extend(interrupted);
        self.observer.tell(Event::Observed(&seen.snapshot));
        seen
    }

    /// Puts a new secret beside what was seen: see [`Observed::bring`].
    pub fn bring(&self, observed: &mut Observed, credential: &str, secret: SecretString) -> bool {
        observed.bring(&self.key.key, credential, secret)
    }

    /// Takes the right to write, and mends the runs that were killed. It is to be had before the
    /// deployment is looked at: what is true in between is ours.
    ///
    /// # Errors
    ///
    /// Where another run has it for too long, or a run cannot be mended; that is recorded.
    pub fn turn(&self, phase: Phase) -> Result<Turn<'_>, Error> {
        self.turn_within(phase, self.wait)
    }

    /// The same, waiting for as long as this while another run has it.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn turn_within(&self, phase: Phase, wait: Duration) -> Result<Turn<'_>, Error> {
        Turn::take(self, wait).inspect_err(|error| self.record_failure(phase, error))
    }

    /// Adds a run to the journal. One that cannot be written is an [`Event`]: what was done is done, and
    /// the gateway should start.
    pub fn record(&self, record: &Record<'_>) {
        let appended = match &self.state {
            Some(state) => state.append(record, self.deployment.journal).map_err(|e| e.to_string()),
            None => Err(StateFolder::NONE.to_owned()),
        };
        match appended {
            Ok(path) => self.observer.tell(Event::Recorded(&path)),
            Err(reason) => self.observer.tell(Event::NotRecorded(&reason)),
        }
    }

    /// A run of which nothing is known yet but what was asked for.
    #[must_use]
    pub fn begun(&self, phase: Phase) -> Record<'_> {
        Record::begun(self.now(), &self.verb, &self.deployment.name, phase)
    }

    /// Adds a run to the journal that came to nothing.
    pub fn record_failure(&self, phase: Phase, error: &Error) {
        self.record_fault(phase, error.in_one_line());
    }

    /// Adds to the journal what went wrong before or beside a run.
    pub fn record_fault(&self, phase: Phase, fault: String) {
        let mut record = self.begun(phase);
        record.error = Some(fault);
        self.record(&record);
    }

    /// Loads the deployment's policy, from what is kept if it was compiled before.
    pub(super) fn load(&self) -> Result<Policy, Error> {
        let Deployment { policy, base, limits, .. } = &self.deployment;
        let engine = match &self.engine {
            Some(engine) => engine.clone(),
            None => Engine::with(limits)?,
        };
        let folder = self.cache.as_deref().filter(|_| self.key.is_ours_alone);
        let cache = folder.map(|folder| Cache { folder, key: &self.key.key });
        let path = policy.path(base, &*self.world);
        let policy = artifact::load(&engine, policy, path.as_deref(), *limits, cache)?;
        for warning in policy.warnings() {
            self.observer.tell(Event::PolicyWarning(warning));
        }
        Ok(policy)
    }
}

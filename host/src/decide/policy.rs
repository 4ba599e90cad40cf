//! A policy ready to decide.

use std::fmt;

use wasmtime::{Store, Trap, component::Linker};

use super::{
    Engine, Limit, Limits,
    contract::{Contract, SERVED, pick},
    limits::Meter,
};
use crate::model::{Decision, Refusal, Snapshot};

/// What a policy says of itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct About {
    /// Short name.
    pub name: String,
    /// Version of the policy.
    pub version: String,
    /// JSON Schema of its settings, as JSON text.
    pub settings_schema: String,
}

/// A decision, or the policy's no.
pub type Answer = Result<Decision, Refusal>;

/// A policy that cannot decide. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecideError {
    /// The component asks for something from outside.
    #[error("the policy imports {0}; a policy imports nothing, so it is not run")]
    Imports(String),
    /// The component does not export what a policy does.
    #[error("the component is no policy for this host: {0}")]
    World(String),
    /// The policy ran into a bound.
    #[error("the policy hit its {limit} limit: {detail} ({})", limit.key())]
    Limit {
        /// The bound.
        limit: Limit,
        /// What was asked for and what is allowed.
        detail: String,
    },
    /// The policy crashed.
    #[error("the policy crashed: {0}")]
    Trap(String),
    /// The policy refused its settings.
    #[error("the policy `{policy}` refused its settings: {}", faults.join("; "))]
    Settings {
        /// The policy.
        policy: String,
        /// What is wrong with them.
        faults: Vec<String>,
    },
    /// No thread for the deadline's clock could be had.
    #[error("the policy is not run, for its deadline cannot be watched: {0}")]
    Clock(String),
    /// Fuel is to be counted, and the engine was made without.
    #[error(
        "the policy is not run, for its fuel cannot be counted (limits.fuel): make the engine with these limits"
    )]
    Fuel,
    /// What the policy says of itself is not what it should.
    #[error("what the policy says of itself cannot be used: {0}")]
    About(String),
    /// What came back is no answer.
    #[error("the policy's answer cannot be used: {0}")]
    Answer(String),
}

impl DecideError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Limit { limit: Limit::Deadline, .. } | Self::Clock(_))
    }
}

/// A policy ready to decide. Cheap to share; every call gets a fresh instance.
pub struct Policy {
    pub(super) engine: Engine,
    pub(super) contract: Box<dyn Contract>,
    version: &'static str,
    limits: Limits,
    about: About,
    digest: String,
    warnings: Vec<String>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("name", &self.about.name)
            .field("version", &self.about.version)
            .field("contract", &self.version)
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

impl Policy {
    pub(crate) fn new(
        engine: &Engine,
        component: &wasmtime::component::Component,
        digest: String,
        limits: Limits,
    ) -> Result<Self, DecideError> {
        let kind = component.component_type();
        let imports: Vec<String> =
            kind.imports(engine.inner()).map(|(name, _)| format!("`{name}`")).collect();
        if !imports.is_empty() {
            return Err(DecideError::Imports(imports.join(", ")));
        }
        let exports: Vec<String> =
            kind.exports(engine.inner()).map(|(name, _)| name.to_owned()).collect();
        let served = pick(&exports, SERVED).map_err(DecideError::World)?;
        #[cfg(feature = "pooling")]
        let limits = match engine.most_memory() {
            Some(most) => Limits { memory_bytes: limits.memory_bytes.min(most), ..limits },
            None => limits,
        };
        let contract = Linker::new(engine.inner())
            .instantiate_pre(component)
            .and_then(|pre| served.bind(pre))
            .map_err(|error| DecideError::World(format!("{error:#}")))?;
        let mut policy = Self {
            engine: engine.clone(),
            contract,
            version: served.version,
            limits,
            digest,
            about: About {
                name: String::new(),
                version: String::new(),
                settings_schema: String::new(),
            },
            warnings: Vec::new(),
        };
        policy.about = said(policy.call(|store| policy.contract.describe(store))?)?;
        Ok(policy)
    }

    /// What the policy says of itself.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// Version of the contract that it is asked in, such as `0.1.0`.
    #[must_use]
    pub fn contract(&self) -> &'static str {
        self.version
    }

    /// Whether fuel is counted, so that two runs of one decision can be compared by it.
    #[must_use]
    pub fn counts_fuel(&self) -> bool {
        self.engine.counts_fuel()
    }

    /// Digest of the component, `sha256:` and 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What the operator should know of how the policy was loaded, a sentence each.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(crate) fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings = warnings;
        self
    }

    /// Has the policy check its settings.
    ///
    /// # Errors
    ///
    /// [`DecideError::Settings`] with what is wrong, or what kept the policy from checking.
    pub fn validate_settings(&self, settings: &serde_json::Value) -> Result<(), DecideError> {
        let settings = settings.to_string();
        let checked = self.call(|store| self.contract.validate_settings(store, &settings))?;
        let Err(faults) = checked else { return Ok(()) };
        self.limits.list("faults in the settings", faults.len())?;
        Err(DecideError::Settings { policy: self.about.name.clone(), faults })
    }

    /// Asks the policy. Deterministic: the same snapshot gets the same answer.
    ///
    /// # Errors
    ///
    /// What kept the policy from answering. Its no is an [`Answer`], not an error.
    pub fn decide(&self, snapshot: &Snapshot) -> Result<Answer, DecideError> {
        self.decide_metered(snapshot).map(|(answer, _)| answer)
    }

    /// The same, and the fuel that it took; none where the engine counts none.
    ///
    /// # Errors
    ///
    /// What kept the policy from answering.
    pub fn decide_metered(
        &self,
        snapshot: &Snapshot,
    ) -> Result<(Answer, Option<u64>), DecideError> {
        let ask = self.contract.decide(snapshot);
        let mut left = None;
        let answer = self.call(|store| {
            let answer = ask(&mut *store);
            if self.engine.counts_fuel() {
                left = store.get_fuel().ok();
            }
            answer
        })?;
        let all = self.limits.fuel.unwrap_or(u64::MAX);
        let fuel = left.map(|left| all.saturating_sub(left));
        self.bounded(answer).map(|answer| (answer, fuel))
    }

    /// The answer, unless a list in it is too long.
    pub(super) fn bounded(&self, answer: Answer) -> Result<Answer, DecideError> {
        match &answer {
            Ok(decision) => {
                self.limits.list("verdicts in the answer", decision.verdicts.len())?;
                self.limits.list("actions in the answer", decision.actions.len())?;
                self.limits.list("findings in the answer", decision.findings.len())?;
                for finding in &decision.findings {
                    self.limits.list("locations in a finding", finding.locations.len())?;
                }
            }
            Err(refusal) => {
                self.limits.list("locations in the refusal", refusal.locations.len())?;
            }
        }
        Ok(answer)
    }

    /// Calls into a fresh instance, within the limits.
    fn call<T>(
        &self,
        call: impl FnOnce(&mut Store<Meter>) -> wasmtime::Result<T>,
    ) -> Result<T, DecideError> {
        // Taken before the instance is made, and given back after it is gone.
        #[cfg(feature = "pooling")]
        let _room = self.engine.room();
        let mut store = self.store();
        self.within(&mut store, call)
    }

    /// Room for one instance.
    pub(super) fn store(&self) -> Store<Meter> {
        let mut store = Store::new(self.engine.inner(), Meter::new(self.limits));
        store.limiter(|meter| meter);
        store
    }

    /// Does one piece of work within the limits of a call.
    pub(super) fn within<T>(
        &self,
        store: &mut Store<Meter>,
        work: impl FnOnce(&mut Store<Meter>) -> wasmtime::Result<T>,
    ) -> Result<T, DecideError> {
        store.set_hostcall_fuel(self.limits.output_bytes);
        if self.engine.counts_fuel() {
            let fuel = self.limits.fuel.unwrap_or(u64::MAX);
            store.set_fuel(fuel).map_err(|_| DecideError::Fuel)?;
        } else if self.limits.fuel.is_some() {
            return Err(DecideError::Fuel);
        }
        let (_running, ticks) = self
            .engine
            .time(self.limits.deadline)
            .map_err(|error| DecideError::Clock(error.to_string()))?;
        store.set_epoch_deadline(ticks);
        work(store).map_err(|error| self.classify(&error, store.data_mut().denied.take()))
    }

    /// Says which bound was hit, or that the policy crashed.
    fn classify(&self, error: &wasmtime::Error, denied: Option<(Limit, String)>) -> DecideError {
        if let Some((limit, detail)) = denied {
            return DecideError::Limit { limit, detail };
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::Interrupt) => DecideError::Limit {
                limit: Limit::Deadline,
                detail: format!("no answer within {} ms", self.limits.deadline.as_millis()),
            },
            Some(Trap::StackOverflow) => DecideError::Limit {
                limit: Limit::Stack,
                detail: format!("{} bytes allowed", self.engine.stack_bytes()),
            },
            Some(Trap::OutOfFuel) => DecideError::Limit {
                limit: Limit::Fuel,
                detail: format!("{} units allowed", self.limits.fuel.unwrap_or(u64::MAX)),
            },
            Some(trap @ Trap::MemoryOutOfBounds) => DecideError::Trap(format!(
                "{trap}: a wild pointer, or its own stack ran out, which is set when it is built"
            )),
            Some(trap) => DecideError::Trap(trap.to_string()),
            // wasmtime keeps this error's type to itself.
            None if format!("{error:#}").contains("fuel allocated for hostcalls") => {
                DecideError::Limit {
                    limit: Limit::Output,
                    detail: format!("{} bytes allowed", self.limits.output_bytes),
                }
            }
            None if format!("{error:#}").contains("resource limit exceeded") => {
                let told = error.root_cause().to_string();
                let told = told.trim_start_matches("resource limit exceeded: ");
                let detail = format!("{told}, {} allowed", self.limits.instances);
                DecideError::Limit { limit: Limit::Instances, detail }
            }
            None => DecideError::Answer(format!("{error:#}")),
        }
    }
}

/// Longest name and version: they stand in sentences.
const LONGEST_WORD: usize = 100;

/// What the policy says of itself, looked at: a name is printed, and a schema is read by others.
fn said(about: About) -> Result<About, DecideError> {
    for (what, word) in [("name", &about.name), ("version", &about.version)] {
        let count = word.chars().count();
        if count > LONGEST_WORD {
            let message = format!("its {what} has {count} characters, {LONGEST_WORD} are allowed");
            return Err(DecideError::About(message));
        }
        if word.is_empty() || word.contains(char::is_control) {
            let message = format!("its {what} is empty, or holds a control character");
            return Err(DecideError::About(message));
        }
    }
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(&about.settings_schema) {
        let message = format!("the schema of its settings is no JSON: {error}");
        return Err(DecideError::About(message));
    }
    Ok(about)
}

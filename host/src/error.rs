//! What can go wrong, by stage.

use crate::{
    apply::{ApplyError, RunsError},
    artifact::ArtifactError,
    check::Violations,
    config::ManifestError,
    decide::DecideError,
    record::RecordError,
};

/// What can go wrong, a variant a stage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The manifest, or the preset that it names.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] crate::decide::EngineError),
    /// The policy could not be loaded.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// The policy could not decide.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// The policy's decision breaks the host's rules.
    #[error(transparent)]
    Check(#[from] Violations),
    /// The plan could not be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The deployment's runs could not be used.
    #[error(transparent)]
    Runs(#[from] RunsError),
    /// A case cannot be used.
    #[cfg(feature = "cases")]
    #[error(transparent)]
    Case(#[from] crate::cases::CaseError),
    /// The journal or the key could not be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// There is no thread to run on any more.
    #[cfg(feature = "tokio")]
    #[error("the runtime is shutting down, so nothing was begun")]
    ShutDown,
}

/// A stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Reading the manifest.
    Configure,
    /// Loading the policy.
    Load,
    /// Asking it.
    Decide,
    /// Checking its decision.
    Check,
    /// Writing.
    Apply,
    /// Recording.
    Record,
}

impl Error {
    /// The stage at which it happened.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Manifest(_) => Stage::Configure,
            #[cfg(feature = "cases")]
            Self::Case(_) => Stage::Configure,
            Self::Engine(_) | Self::Artifact(_) => Stage::Load,
            #[cfg(feature = "tokio")]
            Self::ShutDown => Stage::Load,
            Self::Decide(_) => Stage::Decide,
            Self::Check(_) => Stage::Check,
            Self::Apply(_) | Self::Runs(_) => Stage::Apply,
            Self::Record(_) => Stage::Record,
        }
    }

    /// The error and its causes in one line, each said once: what stands in the journal.
    #[must_use]
    pub fn in_one_line(&self) -> String {
        let mut chain = vec![self.to_string()];
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            chain.push(error.to_string());
            cause = error.source();
        }
        chain.dedup();
        chain.join(": ")
    }

    /// Whether the same run may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Artifact(error) => error.is_retryable(),
            Self::Decide(error) => error.is_retryable(),
            Self::Apply(error) => error.is_retryable(),
            Self::Runs(error) => error.is_retryable(),
            Self::Record(_) => true,
            _ => false,
        }
    }
}

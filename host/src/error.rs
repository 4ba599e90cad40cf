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
    /// The journal or the key could not be read or written.
    #[error(transparent)]
    Record(#[from] RecordError),
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
            Self::Engine(_) | Self::Artifact(_) => Stage::Load,
            Self::Decide(_) => Stage::Decide,
            Self::Check(_) => Stage::Check,
            Self::Apply(_) | Self::Runs(_) => Stage::Apply,
            Self::Record(_) => Stage::Record,
        }
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

//! Exit codes, in one place.

use std::process::ExitCode;

use precedent::{Error, apply::RunsError, artifact::ArtifactError, decide::DecideError};

/// What a call comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// In sync, or done.
    Done,
    /// A refusal or a violation: do not start. A failed case.
    Refused,
    /// Usage, manifest or settings.
    Usage,
    /// A fault; a retry may help.
    Fault,
    /// Drift.
    Drift,
    /// A program that was to be started is there and cannot be run, as a shell says it.
    #[cfg(feature = "exec")]
    NotExecutable,
    /// A program that was to be started is not there, as a shell says it.
    #[cfg(feature = "exec")]
    NotFound,
    /// What a program ended with that was started here.
    #[cfg(feature = "watch")]
    Of(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Fault => 3,
            Exit::Drift => 4,
            #[cfg(feature = "exec")]
            Exit::NotExecutable => 126,
            #[cfg(feature = "exec")]
            Exit::NotFound => 127,
            #[cfg(feature = "watch")]
            Exit::Of(code) => code,
        })
    }
}

/// A mistake in how the program was called.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// What went wrong in a deployment that is audited: it is told, and nothing fails of it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Audited(pub(crate) anyhow::Error);

/// The exit code of an error.
pub(crate) fn of(error: &anyhow::Error) -> Exit {
    if error.is::<Audited>() {
        return Exit::Done;
    }
    if error.is::<UsageError>() || is_of_a_case(error) {
        return Exit::Usage;
    }
    #[cfg(feature = "exec")]
    if let Some(unstarted) = error.downcast_ref::<super::launch::Unstarted>() {
        return unstarted.exit();
    }
    #[cfg(feature = "handover")]
    if let Some(exit) = of_a_handover(error) {
        return exit;
    }
    #[cfg(feature = "etcd")]
    if let Some(exit) = of_a_fleet(error) {
        return exit;
    }
    of_a_stage(error.downcast_ref::<Error>())
}

fn of_a_stage(error: Option<&Error>) -> Exit {
    match error {
        Some(
            Error::Manifest(_)
            | Error::Decide(DecideError::Settings { .. })
            | Error::Artifact(ArtifactError::Unknown { .. }),
        ) => Exit::Usage,
        Some(Error::Runs(RunsError::Nothing(_))) => Exit::Usage,
        Some(Error::Check(_)) => Exit::Refused,
        _ => Exit::Fault,
    }
}

/// What kept a node from taking part in its fleet, or from doing what it should.
#[cfg(feature = "etcd")]
fn of_a_fleet(error: &anyhow::Error) -> Option<Exit> {
    use precedent::fleet::{FleetError, RotationFault, StoreError};
    Some(match error.downcast_ref::<FleetError>()? {
        FleetError::Host(error) => of_a_stage(Some(error)),
        FleetError::NoFleet
        | FleetError::NoState
        | FleetError::AgentRuns(_)
        | FleetError::NoIdentity
        | FleetError::NotAPeer(_)
        | FleetError::Key { .. }
        | FleetError::Store(StoreError::Access(_))
        | FleetError::Rotation(RotationFault::None(_)) => Exit::Usage,
        FleetError::Rotation(RotationFault::Stopped { .. }) => Exit::Fault,
        FleetError::Rotation(_) | FleetError::Renewal(_) => Exit::Refused,
        _ => Exit::Fault,
    })
}

/// What is wrong with a secret that is handed over, or with what was asked of it.
#[cfg(feature = "handover")]
fn of_a_handover(error: &anyhow::Error) -> Option<Exit> {
    use precedent::handover::{HandoverError, SourceError};
    if error.is::<HandoverError>() {
        return Some(Exit::Refused);
    }
    let error = error.downcast_ref::<SourceError>()?;
    Some(if error.is_usage() { Exit::Usage } else { Exit::Refused })
}

#[cfg(feature = "workbench")]
fn is_of_a_case(error: &anyhow::Error) -> bool {
    error.is::<precedent::cases::CaseError>()
        || matches!(error.downcast_ref::<Error>(), Some(Error::Case(_)))
}

#[cfg(not(feature = "workbench"))]
fn is_of_a_case(_: &anyhow::Error) -> bool {
    false
}

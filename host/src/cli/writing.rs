//! The right to write to a deployment: its lock, and what a run that was killed left to be mended.

use std::time::Duration;

use precedent::{
    Error,
    apply::{Recovery, RunState, Runs, RunsError},
    config::{Deployment, Mode},
    model::Phase,
    record::{Record, StateFolder},
};

use super::session::{append, now, warn};

/// How long to wait before saying so.
const QUIET: Duration = Duration::from_secs(1);

/// Takes the deployment's lock and mends what was interrupted. None where nothing is written, and
/// where nothing can be kept: then only one file can be changed, and the gateway should start.
///
/// # Errors
///
/// Where another run has the lock for longer than `wait`, or a file cannot be mended.
pub(crate) fn begin(
    deployment: &Deployment,
    state: Option<&StateFolder>,
    verb: &str,
    wait: Duration,
    recover: impl FnOnce(&Runs) -> Result<Vec<Recovery>, RunsError>,
) -> anyhow::Result<Option<Runs>> {
    if deployment.mode == Mode::Audit {
        return Ok(None);
    }
    let Some(state) = state else {
        warn("no backup, and no lock against another run: there is no state folder for them");
        return Ok(None);
    };
    let lock = |wait| Runs::lock(state, &deployment.name, verb, deployment.backups, wait);
    let locked = match lock(wait.min(QUIET)) {
        Err(error @ RunsError::Locked { .. }) if wait > QUIET => {
            warn(&format!("waiting: {error}"));
            lock(wait - QUIET)
        }
        locked => locked,
    };
    let runs = match locked {
        Ok(runs) => runs,
        Err(error @ RunsError::Folder { .. }) => {
            warn(&format!("no backup, and no lock against another run: {error}"));
            return Ok(None);
        }
        Err(error) => return Err(Error::from(error).into()),
    };
    let recovered = recover(&runs).map_err(Error::from)?;
    tell(&recovered, &deployment.name, Some(state));
    Ok(Some(runs))
}

/// Says what was mended, and records it.
pub(crate) fn tell(recovered: &[Recovery], deployment: &str, state: Option<&StateFolder>) {
    for recovery in recovered {
        warn(&in_words(recovery));
        let mut record = Record::begun(now(), "recover", deployment, Phase::Repair);
        record.recovery = Some(recovery);
        append(state, &record);
    }
}

fn in_words(recovery: &Recovery) -> String {
    let became = match recovery.state {
        RunState::Done => "all of it was there already",
        _ => "what it had changed is put back",
    };
    let left: Vec<String> = recovery
        .left
        .iter()
        .map(|path| format!("; {} was written by somebody else since, and is left", path.display()))
        .collect();
    format!("run {} was interrupted: {became}{}", recovery.run, left.concat())
}

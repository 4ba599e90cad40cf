//! `precedent rollback`

use std::{io::Write, time::Duration};

use anyhow::Result;
use precedent::{
    Error,
    apply::{Outcome, Run, RunState, Runs},
    config::Mode,
    model::Phase,
    record::Record,
};

use super::{
    args::{Format, RollbackArgs},
    exit::{Exit, UsageError},
    json,
    key::key,
    session, text, writing,
};

pub(crate) fn run(args: &RollbackArgs) -> Result<Exit> {
    // Whatever policy decides there: it may be what made the mistake.
    let deployment =
        session::read_deployment(args.manifest.as_deref(), Some(session::default_policy()))?;
    let usage = |words: &str| Err(UsageError(words.to_owned()).into());
    let Some(state) = session::state() else {
        return usage("no run is kept: neither PRECEDENT_STATE_DIR nor HOME is set");
    };
    let mut out = anstream::stdout().lock();
    if args.list {
        let runs = Runs::list(&state, &deployment.name);
        match args.format {
            Format::Json => json::print(&mut out, &json::runs(&deployment.name, &runs))?,
            Format::Text => text::runs(&mut out, &deployment.name, &runs)?,
        }
        return Ok(Exit::Done);
    }
    let listed = Runs::list(&state, &deployment.name);
    let chosen = Runs::to_roll_back(&listed, args.run).map_err(Error::from)?;
    if args.dry_run {
        show(&mut out, args, &deployment.name, chosen, None)?;
        return Ok(Exit::Done);
    }
    if deployment.mode == Mode::Audit {
        return usage(
            "the deployment is audited, so nothing is written; set `deployment.mode` to \"enforce\"",
        );
    }
    let key = key(Some(&state))?;
    let wait = Duration::from_secs(args.writing.wait);
    let kept = key.is_kept.then_some(&state);
    let runs = writing::begin(&deployment, kept, "rollback", wait, |runs| runs.recover(&key.key))?;
    let Some(runs) = runs else {
        return usage("what was kept cannot be read, see above");
    };
    // Anew, for now nobody else can add to them.
    let listed = Runs::list(&state, &deployment.name);
    let chosen = Runs::to_roll_back(&listed, Some(chosen.run)).map_err(Error::from)?;
    let applied = runs.roll_back(chosen, &key.key);
    let mut record = Record::begun(session::now(), "rollback", &deployment.name, Phase::Repair);
    match &applied {
        Ok(outcome) => record.outcome = Some(outcome),
        Err(error) => {
            record.outcome = Some(&error.outcome);
            record.error = Some(error.to_string());
        }
    }
    session::append(Some(&state), &record);
    let outcome = applied.map_err(Error::from)?;
    show(&mut out, args, &deployment.name, chosen, Some(&outcome))?;
    Ok(Exit::Done)
}

fn show(
    out: &mut impl Write,
    args: &RollbackArgs,
    deployment: &str,
    run: &Run,
    outcome: Option<&Outcome>,
) -> Result<()> {
    match args.format {
        Format::Json => json::print(out, &json::rollback(deployment, run, outcome))?,
        Format::Text => {
            let manifest = session::manifest_words(args.manifest.as_deref());
            text::rollback(out, &manifest, run, outcome)?;
        }
    }
    Ok(())
}

/// How far a run came, in words.
pub(crate) fn in_words(state: RunState) -> &'static str {
    match state {
        RunState::Begun => "not ended",
        RunState::Done => "done",
        RunState::Undone => "undone",
        RunState::RolledBack => "rolled back",
        _ => "",
    }
}

//! `precedent rollback`

use std::{collections::BTreeSet, io::Write, path::PathBuf, time::Duration};

use anyhow::Result;
use precedent::{
    Error, Installation,
    apply::{Outcome, Run, RunId, RunState, Runs},
    artifact::PolicyRef,
    config::{Mode, PlaceSpec},
    model::Phase,
};

use super::{
    args::{Format, RollbackArgs},
    exit::{Exit, UsageError},
    json, selection, session, text,
};

pub(crate) fn run(args: &RollbackArgs) -> Result<Exit> {
    // Whatever policy decides there: it may be what made the mistake.
    let mut deployment =
        selection::read_deployment(args.manifest.as_deref(), Some(PolicyRef::default()))?;
    // What it wrote is ours, though this one is not shown it.
    deployment.profiles.iter_mut().for_each(|profiles| profiles.policies.clear());
    // It is about files: no platform and no other node is asked.
    deployment.locations.retain(|location| !matches!(location.place, PlaceSpec::Command(_)));
    deployment.profiles.retain(|profiles| profiles.commands().next().is_none());
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
    let (name, mode) = (deployment.name.clone(), deployment.mode);
    let installation = session::installation("rollback", deployment)?;
    if args.dry_run {
        let listed = Runs::list(&state, &name);
        let chosen = choose(&listed, args.run, &installation)?;
        show(&mut out, args, &name, chosen, None)?;
        return Ok(Exit::Done);
    }
    if mode == Mode::Audit {
        return usage(
            "the deployment is audited, so nothing is written; set `deployment.mode` to \"enforce\"",
        );
    }
    let turn = installation.turn_within(Phase::Repair, Duration::from_secs(args.writing.wait))?;
    if turn.runs().is_none() {
        return usage("what was kept cannot be read, see above");
    }
    // Now that nobody else can add to them, and none is half done.
    let listed = Runs::list(&state, &name);
    let chosen = choose(&listed, args.run, &installation)?;
    let outcome = turn.roll_back(chosen)?;
    show(&mut out, args, &name, chosen, Some(&outcome))?;
    Ok(Exit::Done)
}

/// The run that is named, or the last that changed this deployment's files alone.
fn choose<'r>(
    listed: &'r [(Run, RunState)],
    id: Option<RunId>,
    installation: &Installation,
) -> Result<&'r Run> {
    let seen = installation.observe(Phase::Check);
    let files: BTreeSet<PathBuf> =
        seen.snapshot.files.iter().filter_map(|file| file.path.canonicalize().ok()).collect();
    let is_own = |run: &Run| run.targets.iter().all(|target| files.contains(&target.real));
    Ok(Runs::to_roll_back(listed, id, is_own).map_err(Error::from)?)
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

//! `precedent apply`

use std::{io::Write, path::Path};

use anyhow::Result;
use precedent::{Proposal, Ruling, apply::Outcome, config::read_text, model::Phase};

use super::{
    args::{ApplyArgs, Format},
    exit::{Exit, UsageError},
    json,
    session::Session,
    text,
};

pub(crate) fn run(args: &ApplyArgs) -> Result<Exit> {
    let kept = args.plan.as_deref().map(read_plan).transpose()?;
    // A kept plan was made for a phase; what would be planned for another is another plan.
    let phase =
        kept.as_ref().and_then(|plan| serde_json::from_value(plan.get("phase")?.clone()).ok());
    let session = Session::open("apply", &args.selection, phase.unwrap_or(Phase::Repair))?;
    run_in(&session, args, kept.as_ref()).map_err(|error| session.judged(error))
}

fn run_in(session: &Session, args: &ApplyArgs, kept: Option<&serde_json::Value>) -> Result<Exit> {
    let is_kept = |proposal: &Proposal| match kept {
        Some(kept) => compare(session, proposal, kept),
        None => Ok(()),
    };
    let (proposal, outcome, after, unseen) = if args.dry_run {
        let proposal = session.propose()?;
        is_kept(&proposal)?;
        let outcome = Ok(Outcome::default());
        session.record(&proposal, Some(&outcome));
        (proposal, Outcome::default(), None, None)
    } else {
        // From before the look until after the last: what is true in between is ours.
        let turn = session.write(args.writing.wait)?;
        let done = session.host.reconcile_in(&turn, session.phase, is_kept)?;
        (done.proposal, done.outcome, done.after, done.unseen)
    };
    text::backup(&outcome);
    let mut out = anstream::stdout().lock();
    match args.selection.format {
        Format::Json => {
            json::print(&mut out, &json::apply(session, &proposal, &outcome, after.as_ref()))?;
        }
        Format::Text => {
            text::heading(&mut out, session, &proposal)?;
            text::diff(&mut out, &proposal)?;
            text::findings(&mut out, &proposal)?;
            text::ruling(&mut out, &proposal)?;
            if session.is_audit() {
                writeln!(out, "\nAudit: nothing is written, and a start goes on.")?;
            } else if args.dry_run {
                writeln!(out, "\nDry run: nothing was written.")?;
            } else {
                text::outcome(&mut out, session, &outcome, &proposal, after.as_ref())?;
            }
        }
    }
    let now = after.as_ref().unwrap_or(&proposal);
    if session.is_audit() {
        return Ok(Exit::Done);
    }
    if let Some(error) = unseen {
        // It is written; what came of it could not be seen.
        return Err(error.into());
    }
    Ok(match (&proposal.ruling, &now.ruling) {
        (Ruling::Decided(..), _) if args.dry_run => Exit::Done,
        (Ruling::Decided(..), Ruling::Decided(..)) if now.is_in_order() => Exit::Done,
        (Ruling::Decided(..), Ruling::Decided(..)) => Exit::Drift,
        _ => Exit::Refused,
    })
}

fn read_plan(path: &Path) -> Result<serde_json::Value> {
    let fault =
        |reason: String| UsageError(format!("cannot use the plan {}: {reason}", path.display()));
    let text = read_text(path).map_err(|error| fault(error.to_string()))?;
    let plan: serde_json::Value =
        serde_json::from_str(&text).map_err(|error| fault(error.to_string()))?;
    if plan.get("schema").and_then(|schema| schema.as_str()) != Some(json::PLAN) {
        return Err(fault(format!("its schema is not {}", json::PLAN)).into());
    }
    Ok(plan)
}

/// A kept plan is never written as it is: what is written is today's plan, if both are the same. A
/// plan that somebody edited is just another plan.
fn compare(session: &Session, proposal: &Proposal, kept: &serde_json::Value) -> Result<()> {
    let today = json::plan(session, proposal);
    let differs = |part: &&&str| today.get(**part) != kept.get(**part);
    match ["deployment", "phase", "policy", "changes", "targets", "fingerprints"].iter().find(differs) {
        None => Ok(()),
        Some(part) => Err(UsageError(format!(
            "the kept plan is not what would be planned now (its {part} differ); run `precedent plan` again"
        ))
        .into()),
    }
}

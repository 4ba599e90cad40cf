//! `precedent plan`
//!
//! | module | what |
//! |---|---|
//! | `openclaw` | a plan in the words of `openclaw secrets apply` |

#[cfg(feature = "provide")]
mod openclaw;

use std::{fs, io::Write, os::unix::fs::OpenOptionsExt};

use anyhow::{Context, Result};
use precedent::{Ruling, model::Phase};

#[cfg(feature = "provide")]
use super::exit::UsageError;
use super::{
    args::{PlanArgs, PlanFormat},
    exit::Exit,
    json,
    session::Session,
    text,
};

#[allow(clippy::disallowed_methods, reason = "the user names the file to keep the plan in")]
pub(crate) fn run(args: &PlanArgs) -> Result<Exit> {
    #[cfg(feature = "provide")]
    if args.out.is_some() && args.selection.format == PlanFormat::OpenclawSecrets {
        let message =
            "--out keeps a plan for precedent apply; to keep one for OpenClaw, redirect the output";
        return Err(UsageError(message.to_owned()).into());
    }
    let session = Session::open("plan", &args.selection.plain(), Phase::Check)?;
    let proposal = session.propose()?;
    session.record(&proposal, None);
    let shown = json::plan(&session, &proposal);
    if let Some(path) = &args.out {
        let keep = || -> std::io::Result<()> {
            let mut options = fs::File::options();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
            writeln!(file, "{shown:#}")
        };
        keep().with_context(|| format!("cannot keep the plan in {}", path.display()))?;
    }
    let mut out = anstream::stdout().lock();
    match args.selection.format {
        PlanFormat::Json => json::print(&mut out, &shown)?,
        #[cfg(feature = "provide")]
        PlanFormat::OpenclawSecrets => {
            if !openclaw::tell(&mut out, &proposal)? {
                return Ok(Exit::Drift);
            }
        }
        PlanFormat::Text => {
            text::heading(&mut out, &session, &proposal)?;
            text::diff(&mut out, &proposal)?;
            text::findings(&mut out, &proposal)?;
            text::ruling(&mut out, &proposal)?;
            if let Some(path) = &args.out {
                writeln!(out, "\nKept in {}.", path.display())?;
            }
            text::next_step(&mut out, &session, &proposal)?;
        }
    }
    Ok(match &proposal.ruling {
        Ruling::Decided(..) if args.check && !proposal.is_in_order() => Exit::Drift,
        Ruling::Decided(..) => Exit::Done,
        _ => Exit::Refused,
    })
}

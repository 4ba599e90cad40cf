//! `precedent check`

use anyhow::Result;
use precedent::{Ruling, model::Phase};

use super::{
    args::{CheckArgs, Format},
    exit::Exit,
    json,
    session::Session,
    text,
};

pub(crate) fn run(args: &CheckArgs) -> Result<Exit> {
    let session = Session::open("check", &args.common, Phase::Check)?;
    let proposal = session.propose()?;
    session.record(&proposal, None);
    let exit = match &proposal.ruling {
        Ruling::Decided(_, plan) if !plan.is_empty() || proposal.drifts() => Exit::Drift,
        Ruling::Decided(..) => Exit::Done,
        _ => Exit::Refused,
    };
    let mut out = anstream::stdout().lock();
    match args.common.format {
        Format::Json => json::print(&mut out, &json::check(&session, &proposal))?,
        Format::Text if args.quiet && exit == Exit::Done => {}
        Format::Text => {
            text::summary(&mut out, &proposal)?;
            if exit != Exit::Done {
                text::standings(&mut out, &proposal)?;
            }
            text::findings(&mut out, &proposal)?;
            text::ruling(&mut out, &proposal)?;
            if exit != Exit::Done {
                text::next_step(&mut out, &session, &proposal)?;
            }
        }
    }
    Ok(exit)
}

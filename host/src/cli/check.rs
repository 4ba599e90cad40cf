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
    let session = Session::open("check", &args.selection, Phase::Check)?;
    let proposal = session.propose()?;
    session.record(&proposal, None);
    let exit = match &proposal.ruling {
        Ruling::Decided(..) if proposal.is_in_order() => Exit::Done,
        Ruling::Decided(..) => Exit::Drift,
        _ => Exit::Refused,
    };
    let mut out = anstream::stdout().lock();
    match args.selection.format {
        Format::Json => json::print(&mut out, &json::check(&session, &proposal))?,
        Format::Text if args.quiet && exit == Exit::Done => {}
        Format::Text if exit == Exit::Done => text::summary(&mut out, &proposal)?,
        Format::Text => {
            text::summary(&mut out, &proposal)?;
            text::standings(&mut out, &proposal)?;
            text::findings(&mut out, &proposal)?;
            text::ruling(&mut out, &proposal)?;
            text::next_step(&mut out, &session, &proposal)?;
        }
    }
    Ok(exit)
}

//! `precedent explain`

use std::io::Write;

use anyhow::Result;
use precedent::{Proposal, Ruling, model::Phase};

use super::{
    args::{ExplainArgs, Format},
    exit::Exit,
    json,
    session::Session,
    text,
};

pub(crate) fn run(args: &ExplainArgs) -> Result<Exit> {
    let session = Session::open("explain", &args.selection, Phase::Check)?;
    let proposal = session.propose()?;
    session.record(&proposal, None);
    let then = match &args.as_of {
        Some(version) => Some((version.as_str(), session.propose_as_of(version)?)),
        None => None,
    };
    let shadows = match proposal.decision().filter(|_| args.shadows) {
        Some(decision) => Some(session.host.shadows(&proposal.snapshot, decision)?),
        None => None,
    };
    let mut out = anstream::stdout().lock();
    match args.selection.format {
        Format::Json => {
            let mut document = json::explain(&session, &proposal);
            if let Some((version, then)) = &then {
                json::add_as_of(&mut document, version, &proposal, then);
            }
            if let Some(shadows) = &shadows {
                json::add_shadows(&mut document, &proposal.snapshot, shadows);
            }
            json::print(&mut out, &document)?;
        }
        Format::Text => {
            text::heading(&mut out, &session, &proposal)?;
            if let Some((version, then)) = &then {
                text::as_of(&mut out, version, &proposal, then)?;
            } else if let Some(shadows) = &shadows {
                text::shadows(&mut out, &proposal, shadows)?;
            } else {
                all(&mut out, &session, &proposal)?;
            }
        }
    }
    Ok(match proposal.ruling {
        Ruling::Decided(..) => Exit::Done,
        _ => Exit::Refused,
    })
}

fn all(out: &mut impl Write, session: &Session, proposal: &Proposal) -> Result<()> {
    text::standings(out, proposal)?;
    text::reasons(out, proposal)?;
    text::copies(out, proposal)?;
    if let Some(impact) = session.host.impact(proposal) {
        text::calls(out, &impact)?;
    }
    text::findings(out, proposal)?;
    text::ruling(out, proposal)?;
    text::next_step(out, session, proposal)?;
    Ok(())
}

//! `precedent explain`

use anyhow::Result;
use precedent::{Ruling, model::Phase};

use super::{
    args::{Format, Selection},
    exit::Exit,
    json,
    session::Session,
    text,
};

pub(crate) fn run(selection: &Selection) -> Result<Exit> {
    let session = Session::open("explain", selection, Phase::Check)?;
    let proposal = session.propose()?;
    session.record(&proposal, None);
    let mut out = anstream::stdout().lock();
    match selection.format {
        Format::Json => json::print(&mut out, &json::explain(&session, &proposal))?,
        Format::Text => {
            text::heading(&mut out, &session, &proposal)?;
            text::standings(&mut out, &proposal)?;
            text::reasons(&mut out, &proposal)?;
            text::copies(&mut out, &proposal)?;
            text::findings(&mut out, &proposal)?;
            text::ruling(&mut out, &proposal)?;
            text::next_step(&mut out, &session, &proposal)?;
        }
    }
    Ok(match proposal.ruling {
        Ruling::Decided(..) => Exit::Done,
        _ => Exit::Refused,
    })
}

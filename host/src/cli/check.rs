//! `precedent check`

use anyhow::Result;
use precedent::{Impact, Proposal, Ruling, model::Phase};

use super::{
    alert::Alerts,
    args::{CheckArgs, Format},
    exit::Exit,
    json,
    session::Session,
    text,
};
#[cfg(feature = "metrics")]
use super::{metrics, session::warn};

pub(crate) fn run(args: &CheckArgs) -> Result<Exit> {
    // Known as soon as the deployment is, so that a check that fails is told of too.
    let mut alerts = None;
    let seen = see(args, &mut alerts);
    let alerts = alerts.filter(|_| !args.no_alerts);
    match seen {
        Ok((session, proposal)) => {
            // Whoever reads our output may have seen enough; who is alerted has not seen it.
            let impact = session.host.impact(&proposal);
            let exit = show(args, &session, &proposal, impact.as_ref());
            #[cfg(feature = "metrics")]
            if let Some(Err(error)) = args
                .metrics
                .as_ref()
                .map(|path| metrics::textfile::write(path, &proposal, impact.as_ref()))
            {
                warn(&format!("{error:#}"));
            }
            #[cfg(feature = "otlp")]
            if let Some(Err(error)) =
                args.otlp.as_ref().map(|url| metrics::otlp::send(url, &proposal, impact.as_ref()))
            {
                warn(&format!("{error:#}"));
            }
            if let Some(alerts) = alerts {
                let calls = impact.as_ref().map(text::in_sentences).unwrap_or_default();
                alerts.seen(&proposal, &session.words, &calls);
            }
            exit
        }
        Err(error) => {
            if let Some(alerts) = alerts {
                alerts.fault(&error);
            }
            Err(error)
        }
    }
}

fn see(args: &CheckArgs, alerts: &mut Option<Alerts>) -> Result<(Session, Proposal)> {
    let session = Session::open_with("check", &args.selection, Phase::Check, |deployment| {
        *alerts = Some(Alerts::of(deployment));
    })?;
    let proposal = session.propose()?;
    session.record(&proposal, None);
    Ok((session, proposal))
}

fn show(
    args: &CheckArgs,
    session: &Session,
    proposal: &Proposal,
    impact: Option<&Impact>,
) -> Result<Exit> {
    let exit = match &proposal.ruling {
        Ruling::Decided(..) if proposal.is_in_order() => Exit::Done,
        Ruling::Decided(..) => Exit::Drift,
        _ => Exit::Refused,
    };
    let mut out = anstream::stdout().lock();
    match args.selection.format {
        Format::Json => json::print(&mut out, &json::check(session, proposal))?,
        Format::Text if args.quiet && exit == Exit::Done => {}
        Format::Text if exit == Exit::Done => text::summary(&mut out, proposal)?,
        Format::Text => {
            text::summary(&mut out, proposal)?;
            text::standings(&mut out, proposal)?;
            if let Some(impact) = impact {
                text::calls(&mut out, impact)?;
            }
            text::findings(&mut out, proposal)?;
            text::ruling(&mut out, proposal)?;
            text::next_step(&mut out, session, proposal)?;
        }
    }
    Ok(exit)
}

//! `precedent rotate`

use std::io::{IsTerminal, Read, Write};

use anyhow::{Context, Result};
use precedent::{Error, Proposal, Ruling, model::Phase, secret};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::{
    args::{Format, RotateArgs},
    exit::{Exit, UsageError},
    json,
    session::Session,
    text,
};

/// More than any secret.
const LONGEST: u64 = 64 * 1024;

pub(crate) fn run(args: &RotateArgs) -> Result<Exit> {
    let session = Session::open("rotate", &args.selection, Phase::Rotate)?;
    let is_dry = args.dry_run || session.is_audit();
    // Before the lock: whoever types it may take their time.
    let secret = new_secret(args)?;
    let turn = if is_dry { None } else { Some(session.write(args.writing.wait)?) };
    let proposal = session.propose_with(&args.credential, secret)?;
    let is_taken = is_taken(&proposal, &args.credential);
    let applied = turn.as_ref().filter(|_| is_taken).map(|turn| turn.apply(&proposal));
    session.record(&proposal, applied.as_ref());
    let outcome = applied.transpose().map_err(Error::from)?;
    // What is true now, as the next run will see it.
    outcome.iter().for_each(text::backup);
    let after = outcome.is_some().then(|| session.propose()).transpose()?;
    let mut out = anstream::stdout().lock();
    match args.selection.format {
        Format::Json => {
            let outcome = outcome.clone().unwrap_or_default();
            let document = json::rotate(&session, &proposal, &outcome, after.as_ref());
            json::print(&mut out, &document)?;
        }
        Format::Text => {
            text::heading(&mut out, &session, &proposal)?;
            text::ruling(&mut out, &proposal)?;
            if is_taken {
                text::diff(&mut out, &proposal)?;
                text::findings(&mut out, &proposal)?;
            }
            match (&outcome, is_dry) {
                (Some(outcome), _) => {
                    text::outcome(&mut out, &session, outcome, &proposal, after.as_ref())?
                }
                (None, true) if is_taken => {
                    let made = if args.stdin { "" } else { " The next run makes another secret." };
                    let why = if args.dry_run { "Dry run" } else { "Audit" };
                    writeln!(out, "\n{why}: nothing was written.{made}")?;
                }
                _ => {}
            }
        }
    }
    if matches!(proposal.ruling, Ruling::Decided(..)) && !is_taken {
        return Err(UsageError(format!(
            "the policy {} says nowhere to put a new {}; make it where that policy has its source of truth",
            session.host.policy().about().name,
            args.credential
        ))
        .into());
    }
    Ok(match &after {
        _ if !matches!(proposal.ruling, Ruling::Decided(..)) => Exit::Refused,
        Some(after) if !after.is_in_order() => Exit::Drift,
        _ => Exit::Done,
    })
}

/// Whether the policy takes the new secret for the one that should win. It may stand where it should
/// already, so that nothing is to change.
fn is_taken(proposal: &Proposal, credential: &str) -> bool {
    let incoming = format!("incoming.{credential}");
    let new = proposal.snapshot.location_named(&incoming).map(|(id, _)| id);
    let verdicts = proposal.decision().into_iter().flat_map(|decision| &decision.verdicts);
    new.is_some() && verdicts.into_iter().any(|verdict| verdict.wanted == new)
}

/// The new secret: never an argument, which everybody on the machine could read.
fn new_secret(args: &RotateArgs) -> Result<SecretString> {
    if !args.stdin {
        return secret::mint().context("no randomness for a new secret");
    }
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        let mut stderr = anstream::stderr().lock();
        writeln!(stderr, "The new secret, then Enter and Ctrl-D (it will be seen as you type):")?;
    }
    let mut text = Zeroizing::new(String::new());
    let fault = |reason: String| UsageError(format!("cannot take the new secret: {reason}"));
    stdin
        .by_ref()
        .take(LONGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| fault(error.to_string()))?;
    if text.len() as u64 > LONGEST {
        return Err(fault("it is longer than any secret".to_owned()).into());
    }
    Ok(secret::take(&text).map_err(|unfit| fault(unfit.to_string()))?)
}

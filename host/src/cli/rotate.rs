//! `precedent rotate`

use std::io::{IsTerminal, Read, Write};

use anyhow::{Context, Result};
use precedent::{Error, Proposal, Ruling, apply::Outcome, model::Phase, secret};
use secrecy::SecretString;
use serde_json::Value;
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
    // Before the lock: whoever types it may take their time.
    let secret = new_secret(args.stdin)?;
    let incoming = Incoming {
        credential: &args.credential,
        secret,
        heading: None,
        dry_run: args.dry_run,
        next: if args.stdin { "" } else { " The next run makes another secret." },
        wait: args.writing.wait,
        format: args.selection.format,
        document: &|proposal, outcome, after| json::rotate(&session, proposal, outcome, after),
    };
    bring(&session, incoming, || Ok(()))?.ok_or_else(|| {
        UsageError(format!(
            "the policy {} says nowhere to put a new {}; make it where that policy has its source of truth",
            session.host.policy().about().name,
            args.credential
        ))
        .into()
    })
}

/// A secret that is brought, and how it is told what becomes of it.
pub(super) struct Incoming<'i> {
    pub(super) credential: &'i str,
    pub(super) secret: SecretString,
    /// Where it comes from, where that is worth a line.
    pub(super) heading: Option<String>,
    pub(super) dry_run: bool,
    /// What is said of the next run after one that wrote nothing.
    pub(super) next: &'i str,
    /// Seconds to wait while another run has the deployment.
    pub(super) wait: u64,
    pub(super) format: Format,
    /// What scripts are shown: of what was proposed, what came of it, and what is true after.
    pub(super) document: &'i dyn Fn(&Proposal, &Outcome, Option<&Proposal>) -> Value,
}

/// Brings a secret to the policy, which says where it goes, and writes that; none where it says nowhere.
/// `begin` is asked when it is known that something is to be done with it, before anything is written.
pub(super) fn bring(
    session: &Session,
    incoming: Incoming<'_>,
    begin: impl FnOnce() -> Result<()>,
) -> Result<Option<Exit>> {
    let Incoming { credential, secret, heading, dry_run, next, wait, format, document } = incoming;
    let is_dry = dry_run || session.is_audit();
    let turn = if is_dry { None } else { Some(session.write(wait)?) };
    let proposal = session.propose_with(credential, secret)?;
    let is_decided = matches!(proposal.ruling, Ruling::Decided(..));
    let is_taken = is_taken(&proposal, credential);
    if turn.is_some() && is_decided && is_taken {
        begin()?;
    }
    let applied = turn.as_ref().filter(|_| is_taken).map(|turn| turn.apply(&proposal));
    session.record(&proposal, applied.as_ref());
    let outcome = applied.transpose().map_err(Error::from)?;
    // What is true now, as the next run will see it.
    outcome.iter().for_each(text::backup);
    let after = outcome.is_some().then(|| session.propose()).transpose()?;
    let mut out = anstream::stdout().lock();
    match format {
        Format::Json => {
            let outcome = outcome.clone().unwrap_or_default();
            json::print(&mut out, &document(&proposal, &outcome, after.as_ref()))?;
        }
        Format::Text => {
            if let Some(heading) = heading {
                writeln!(out, "{}", text::harmless(&heading))?;
            }
            text::heading(&mut out, session, &proposal)?;
            text::ruling(&mut out, &proposal)?;
            if is_taken {
                text::diff(&mut out, &proposal)?;
                text::findings(&mut out, &proposal)?;
            }
            match (&outcome, is_dry) {
                (Some(outcome), _) => {
                    text::outcome(&mut out, session, outcome, &proposal, after.as_ref())?
                }
                (None, true) if is_taken => {
                    let why = if dry_run { "Dry run" } else { "Audit" };
                    writeln!(out, "\n{why}: nothing was written.{next}")?;
                }
                _ => {}
            }
        }
    }
    if is_decided && !is_taken {
        return Ok(None);
    }
    Ok(Some(match &after {
        _ if !is_decided => Exit::Refused,
        Some(after) if !after.is_in_order() => Exit::Drift,
        _ => Exit::Done,
    }))
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
pub(super) fn new_secret(from_stdin: bool) -> Result<SecretString> {
    if !from_stdin {
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

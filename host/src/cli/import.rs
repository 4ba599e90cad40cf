//! `precedent import`

use std::io::{IsTerminal, Read, Write};

use anyhow::{Context, Result};
use clap::Args;
use precedent::{
    Error,
    handover::{Accepted, HandoverError, LARGEST, Receiver},
    model::Phase,
    record::{StateFolder, moment},
};

use super::{
    args::{Selection, Writing},
    exit::{Exit, UsageError},
    identity, json,
    rotate::{Incoming, bring},
    session::Session,
};

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    writing: Writing,
    /// Check it and show what would change; write nothing, and let it be imported later
    #[arg(long)]
    dry_run: bool,
}

pub(crate) fn run(args: &ImportArgs) -> Result<Exit> {
    let session = Session::open("import", &args.selection, Phase::Rotate)?;
    let (identity, state) = identity::of(&session)?;
    let text = sealed_text()?;
    let now = || session.host.installation().now();
    let receiver =
        Receiver { identity: &identity, deployment: session.host.deployment(), now: now() };
    let accepted = receiver.accept(&text).map_err(|error| refused(&session, error))?;
    let Accepted { nonce, expires, .. } = accepted;
    let used = state.used_nonces();
    if used.holds(&nonce, expires).map_err(Error::from)? {
        return Err(refused(&session, HandoverError::Replayed));
    }
    let Accepted { peer, credential, deployment, created, .. } = &accepted;
    let incoming = Incoming {
        credential,
        secret: accepted.secret.clone(),
        heading: Some(format!(
            "{credential} of {deployment}, handed over by {peer} at {}",
            moment(*created)
        )),
        dry_run: args.dry_run,
        next: " It can still be imported.",
        wait: args.writing.wait,
        format: args.selection.format,
        document: &|proposal, outcome, after| {
            json::import(&session, &accepted, proposal, outcome, after)
        },
    };
    let begin = || take(&session, state, &accepted);
    bring(&session, incoming, begin)?.ok_or_else(|| {
        let policy = &session.host.policy().about().name;
        let message = format!(
            "nothing was written: the policy {policy} says nowhere to put a {credential} that is handed over; hand it to where that policy has its source of truth, or name another policy (it can still be imported until {})",
            moment(expires)
        );
        UsageError(message).into()
    })
}

/// Takes it for this run: whatever comes of it, it is not used again.
fn take(session: &Session, state: &StateFolder, accepted: &Accepted) -> Result<()> {
    let Accepted { nonce, expires, .. } = accepted;
    let now = || session.host.installation().now();
    let taken = state.used_nonces().take(nonce, *expires, now()).map_err(Error::from);
    let taken = taken.inspect_err(|error| session.record_error(&error.in_one_line()))?;
    if !taken {
        return Err(refused(session, HandoverError::Replayed));
    }
    // It may have been waited for the lock, and what was used may be forgotten by now.
    accepted.is_in_time(now()).map_err(|error| refused(session, error))
}

/// Somebody tried: that stands in the journal too.
fn refused(session: &Session, error: HandoverError) -> anyhow::Error {
    session.record_error(&error.to_string());
    error.into()
}

/// All of standard input, up to a bound.
fn sealed_text() -> Result<Vec<u8>> {
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        let mut stderr = anstream::stderr().lock();
        writeln!(stderr, "What `precedent export` printed, then Ctrl-D:")?;
    }
    let mut text = Vec::new();
    let bound = LARGEST as u64 + 1;
    stdin.by_ref().take(bound).read_to_end(&mut text).context("cannot read standard input")?;
    Ok(text)
}

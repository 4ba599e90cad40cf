//! `precedent identity`

use std::io::Write;

use anyhow::Result;
use clap::Args;
use precedent::{Error, handover::NodeIdentity, record::StateFolder};
use serde_json::json;

use super::{
    args::Format,
    exit::{Exit, UsageError},
    json,
    session::{Session, state},
};

#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// For people, or for scripts
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &IdentityArgs) -> Result<Exit> {
    let state = state().ok_or_else(nowhere)?;
    let identity = state.make_identity().map_err(Error::from)?;
    let (recipient, signer) = (identity.recipient().to_string(), identity.signer().to_string());
    let mut out = anstream::stdout().lock();
    match args.format {
        Format::Json => {
            let schema = "precedent.identity/1";
            let document = json!({"schema": schema, "recipient": recipient, "signer": signer});
            json::print(&mut out, &document)?;
        }
        // What may be put into a manifest as it is.
        Format::Text => writeln!(
            out,
            "# The public keys of this node, for the manifest of another one.
[[peers]]
name = \"a name for this node\"
recipient = \"{recipient}\"   # to hand secrets to it
signer = \"{signer}\"   # to take secrets from it"
        )?,
    }
    Ok(Exit::Done)
}

/// The keys of this node, which are made only where somebody asks for them: nobody knows them before.
pub(super) fn of(session: &Session) -> Result<(NodeIdentity, &StateFolder)> {
    let state = session.host.installation().state().ok_or_else(nowhere)?;
    let identity = state.identity().map_err(Error::from)?.ok_or_else(|| {
        let message = "this node has no identity yet; run `precedent identity` and add what it prints to the manifest of the other node";
        UsageError(message.to_owned())
    })?;
    Ok((identity, state))
}

fn nowhere() -> UsageError {
    let message =
        "there is no folder for the keys of this node: neither PRECEDENT_STATE_DIR nor HOME is set";
    UsageError(message.to_owned())
}

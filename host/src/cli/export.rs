//! `precedent export`

use std::{io::Write, path::PathBuf, time::Duration};

use anyhow::{Context, Result};
use clap::Args;
use precedent::{
    handover::{Handover, LONGEST_VALID, Recipient, Source, seal},
    model::Phase,
    record::moment,
};

use super::{
    args::{Format, Selection},
    exit::{Exit, UsageError},
    identity,
    session::Session,
    text,
};

/// Standard output is the sealed text alone, so there is no format.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The deployment's manifest [default: precedent.toml here, else the preset openclaw]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// A shipped policy (binary, helm, nodes, paas), or the path of a component [default: the manifest's, else binary]
    #[arg(long, value_name = "NAME|FILE")]
    policy: Option<String>,
    /// Which credential
    #[arg(long, value_name = "NAME")]
    credential: String,
    /// The place whose copy it is [default: the copy that the policy wants its programs to use]
    #[arg(long, value_name = "LOCATION")]
    from: Option<String>,
    /// To whom: a peer of the manifest, or an age recipient
    #[arg(long, value_name = "PEER|RECIPIENT")]
    to: String,
    /// For how long it may be imported, such as 90s or 2h; 24h at most
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = validity)]
    valid: Duration,
    /// Override one setting of the policy; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Say what the policy cannot see, such as openclaw-version=2026.9.6; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    attribute: Vec<String>,
    /// Follow references of the kind exec: run the commands that the gateway's configuration names
    #[arg(long)]
    run_commands: bool,
}

impl ExportArgs {
    fn selection(&self) -> Selection {
        Selection {
            manifest: self.manifest.clone(),
            policy: self.policy.clone(),
            phase: None,
            set: self.set.clone(),
            attribute: self.attribute.clone(),
            run_commands: self.run_commands,
            format: Format::default(),
        }
    }
}

pub(crate) fn run(args: &ExportArgs) -> Result<Exit> {
    let session = Session::open("export", &args.selection(), Phase::Check)?;
    let recipient = recipient(&session, &args.to)?;
    let (identity, _) = identity::of(&session)?;
    let proposal = session.propose()?;
    session.record(&proposal, None);
    let found = proposal.to_hand_over(&args.credential, args.from.as_deref());
    let Source { location, fingerprint, secret, expires, .. } =
        found.inspect_err(|error| session.record_error(&error.to_string()))?;
    let created = session.host.installation().now();
    let until = created.saturating_add(args.valid.as_secs());
    let handover = Handover {
        credential: &args.credential,
        deployment: &proposal.snapshot.deployment,
        secret,
        created,
        // What expires before is no source there either.
        expires: expires.map_or(until, |expires| expires.min(until)),
    };
    let sealed = seal(&identity, &recipient, &handover).context("cannot seal it")?;
    let mut out = std::io::stdout().lock();
    out.write_all(sealed.as_bytes())?;
    out.flush()?;
    let mut stderr = anstream::stderr().lock();
    // Whether anybody reads of it changes nothing.
    let _ = writeln!(
        stderr,
        "{} of {} ({fingerprint}), sealed to {}; valid until {}",
        text::harmless(&args.credential),
        text::harmless(&proposal.snapshot.label_of(location)),
        text::harmless(&args.to),
        moment(handover.expires),
    );
    Ok(Exit::Done)
}

fn recipient(session: &Session, to: &str) -> Result<Recipient> {
    let peers = &session.host.deployment().peers;
    let named = peers.iter().find(|peer| peer.name == to);
    let given = match named {
        Some(peer) => peer.recipient.as_deref().ok_or_else(|| {
            let message = format!(
                "nothing can be sealed to the peer `{to}`: the manifest has no `recipient` of it; `precedent identity` prints it there"
            );
            UsageError(message)
        })?,
        None => to,
    };
    given.parse().map_err(|_| {
        let can: Vec<&str> = peers
            .iter()
            .filter(|peer| peer.recipient.is_some())
            .map(|peer| peer.name.as_str())
            .collect();
        let peers = match can.as_slice() {
            [] => "the manifest has no [[peers]] with a recipient".to_owned(),
            can => format!("expected one of `{}`", can.join("`, `")),
        };
        // What is given is not said: it may be a private key, mixed up with the public one.
        let message = format!(
            "what `--to` names is neither a peer nor an age recipient of the kind x25519 (age1...); {peers}"
        );
        UsageError(message).into()
    })
}

fn validity(text: &str) -> std::result::Result<Duration, String> {
    let given = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if (Duration::from_secs(1)..=LONGEST_VALID).contains(&given) {
        Ok(given)
    } else {
        Err("it is not possible, 1s to 24h are allowed".to_owned())
    }
}

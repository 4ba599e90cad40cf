//! `precedent fleet rotate`

use std::{io::Write, time::Duration};

use anyhow::Result;
use clap::Args;
use precedent::{
    fleet::{Direction, Driver, Rotation, Stage, Start, Told},
    model::Phase,
};
use serde_json::json;

use super::{
    super::{
        args::{Format, Selection},
        exit::{Exit, UsageError},
        json,
        rotate::new_secret,
        text,
    },
    Member,
};

#[derive(Debug, Args)]
pub(super) struct FleetRotateArgs {
    #[command(flatten)]
    selection: Selection,
    /// Which credential
    #[arg(long, value_name = "NAME", default_value = "gateway-token")]
    credential: String,
    /// Take the new secret from standard input; without it, a new one is made
    #[arg(long, conflicts_with_all = ["resume", "undo"])]
    stdin: bool,
    /// How many nodes change at a time
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    at_once: u32,
    /// How many seconds a node may take for a step
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    patience: u64,
    /// Leave a node out, which is locked out by it; may be repeated
    #[arg(long, value_name = "NODE")]
    without: Vec<String>,
    /// Go on with the one that stopped
    #[arg(long, conflicts_with = "undo")]
    resume: bool,
    /// Go back to the old secret, node by node
    #[arg(long)]
    undo: bool,
    /// Show the nodes and the steps, and do nothing
    #[arg(long, conflicts_with_all = ["stdin", "resume", "undo"])]
    dry_run: bool,
}

pub(super) fn run(args: &FleetRotateArgs) -> Result<Exit> {
    let member = Member::open("fleet rotate", &args.selection, Phase::Rotate)?;
    let deployment = member.session.host.deployment();
    if !deployment.credentials().any(|known| known == args.credential) {
        let known = deployment.credentials().collect::<Vec<_>>().join("`, `");
        let message =
            format!("unknown credential `{}`, expected one of `{known}`", args.credential);
        return Err(UsageError(message).into());
    }
    if let Some(unknown) =
        args.without.iter().find(|node| member.roster.nodes().all(|one| one != *node))
    {
        let known = member.roster.nodes().collect::<Vec<_>>().join("`, `");
        let message = format!("unknown node `{unknown}`, expected one of `{known}`");
        return Err(UsageError(message).into());
    }
    let is_text = args.selection.format == Format::Text;
    let tell = |told: Told<'_>| {
        if is_text {
            let mut out = anstream::stdout().lock();
            // Whether anybody reads of it changes nothing.
            let _ = text::fleet::told(&mut out, &told);
            let _ = out.flush();
        }
    };
    let driver = Driver {
        store: &member.store,
        space: &member.space,
        roster: &member.roster,
        identity: &member.identity,
        key: &member.key,
        now: member.now(),
        at_once: args.at_once as usize,
        patience: Duration::from_secs(args.patience),
        tell: &tell,
    };
    if args.dry_run {
        return dry_run(args, &driver);
    }
    let rotated = match () {
        () if args.resume => driver.resume(&args.credential, &args.without),
        () if args.undo => driver.undo(&args.credential, &args.without),
        () => {
            let secret = new_secret(args.stdin)?;
            let deployment = &deployment.name;
            let start = Start { secret: &secret, deployment, without: &args.without };
            driver.begin(&args.credential, &start)
        }
    };
    let rotation = rotated.inspect_err(|error| member.session.record_error(&error.to_string()))?;
    if !is_text {
        let mut out = anstream::stdout().lock();
        json::print(&mut out, &document(&rotation))?;
    }
    Ok(Exit::Done)
}

fn dry_run(args: &FleetRotateArgs, driver: &Driver<'_>) -> Result<Exit> {
    let nodes = driver.nodes(&args.without)?;
    let mut out = anstream::stdout().lock();
    match args.selection.format {
        Format::Json => {
            let stages = [Stage::Accept, Stage::Use, Stage::Retire];
            let document = json!({
                "schema": "precedent.fleet-rotate/1",
                "credential": args.credential,
                "nodes": nodes,
                "stages": stages,
                "dry-run": true,
            });
            json::print(&mut out, &document)?;
        }
        Format::Text => text::fleet::steps(&mut out, &args.credential, &nodes, args.at_once)?,
    }
    Ok(Exit::Done)
}

fn document(rotation: &Rotation) -> serde_json::Value {
    json!({
        "schema": "precedent.fleet-rotate/1",
        "id": rotation.id,
        "credential": rotation.credential,
        "nodes": rotation.nodes,
        "fingerprint": rotation.fingerprint.to_string(),
        "undone": rotation.direction == Direction::Back,
    })
}

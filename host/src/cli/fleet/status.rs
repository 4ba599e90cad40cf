//! `precedent fleet status`

use std::io::Write;

use anyhow::Result;
use clap::Args;
use precedent::{
    fleet::{FleetError, FleetFolder, FleetStatus, NodeState, StoreError},
    model::Phase,
};
use serde_json::{Value, json};

use super::{
    super::{
        args::{Format, Selection},
        exit::Exit,
        json, text,
    },
    Member,
};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    selection: Selection,
}

pub(super) fn run(args: &StatusArgs) -> Result<Exit> {
    let member = Member::open("fleet status", &args.selection, Phase::Check)?;
    let policy = member.session.host.policy().digest();
    let ground = (&member.key, policy, member.now());
    match FleetStatus::read(&member.store, &member.space, &member.roster, ground) {
        Ok(status) => show(args, &member, &status),
        Err(error) if !matches!(error, StoreError::Access(_)) => {
            cut_off(args, &member)?;
            Err(FleetError::from(error).into())
        }
        Err(error) => Err(FleetError::from(error).into()),
    }
}

fn show(args: &StatusArgs, member: &Member, status: &FleetStatus) -> Result<Exit> {
    let mut out = anstream::stdout().lock();
    match args.selection.format {
        Format::Json => {
            let mut document = json!({
                "schema": "precedent.fleet-status/1",
                "fleet": member.roster.fleet(),
                "node": member.roster.me(),
            });
            if let (Some(map), Value::Object(told)) =
                (document.as_object_mut(), serde_json::to_value(status)?)
            {
                map.extend(told);
            }
            json::print(&mut out, &document)?;
        }
        Format::Text => text::fleet::status(&mut out, &member.roster, status, member.now())?,
    }
    let is_refused =
        |state: &NodeState| matches!(state, NodeState::Refused(_) | NodeState::Violated(_));
    Ok(match status {
        _ if status.is_in_order() => Exit::Done,
        _ if status.nodes.iter().any(|node| is_refused(&node.state)) => Exit::Refused,
        _ => Exit::Drift,
    })
}

/// What can be told without the store: how this node stands by itself.
fn cut_off(args: &StatusArgs, member: &Member) -> Result<()> {
    let Some(state) = member.state() else { return Ok(()) };
    let folder = FleetFolder::of(state, member.roster.fleet());
    let standing = folder.standing()?;
    let mut out = anstream::stdout().lock();
    match args.selection.format {
        Format::Json => {
            let document = json!({
                "schema": "precedent.fleet-status/1",
                "fleet": member.roster.fleet(),
                "node": member.roster.me(),
                "standing": standing,
            });
            json::print(&mut out, &document)?;
        }
        Format::Text => {
            let words = standing.as_ref().map_or_else(
                || "no agent has run here yet".to_owned(),
                |standing| format!("{}; {}", standing.in_words(), standing.state),
            );
            let me = text::harmless(member.roster.me());
            writeln!(out, "{me}, by itself: {}", text::harmless(&words))?;
        }
    }
    Ok(())
}

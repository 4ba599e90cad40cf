//! `precedent fleet plan`

use anyhow::Result;
use clap::Args;
use precedent::{
    fleet::{Board, Decided, FleetError, preview},
    model::Phase,
};
use serde_json::json;

use super::{
    super::{
        args::{Format, Selection},
        exit::Exit,
        json, text,
    },
    Member,
};

#[derive(Debug, Args)]
pub(super) struct FleetPlanArgs {
    #[command(flatten)]
    selection: Selection,
}

pub(super) fn run(args: &FleetPlanArgs) -> Result<Exit> {
    let member = Member::open("fleet plan", &args.selection, Phase::Check)?;
    let board =
        Board::read(&member.store, &member.space, &member.roster).map_err(FleetError::from)?;
    let host = &member.session.host;
    let settings = host.deployment().fleet.as_ref().map(|fleet| &fleet.settings);
    let ground = (host.policy(), settings.unwrap_or(&serde_json::Value::Null));
    let decided =
        preview(&board, ground, &member.key, (member.now(), args.selection.phase.map(Phase::from)));
    let mut out = anstream::stdout().lock();
    match args.selection.format {
        Format::Json => {
            let nodes: serde_json::Map<String, serde_json::Value> = decided
                .iter()
                .map(|(node, terms)| {
                    let plan = json!({"decided": terms.decided, "sends": terms.sends, "settings": terms.settings});
                    (node.clone(), plan)
                })
                .collect();
            let document = json!({
                "schema": "precedent.fleet-plan/1",
                "fleet": member.roster.fleet(),
                "policy": host.policy().digest(),
                "nodes": nodes,
            });
            json::print(&mut out, &document)?;
        }
        Format::Text => {
            text::fleet::plan(&mut out, &member.roster, host.policy().digest(), &board, &decided)?;
        }
    }
    let is_refused = decided.values().any(|terms| matches!(terms.decided, Decided::Refused(_)));
    let is_quiet =
        |decided: &Decided| matches!(decided, Decided::Actions(actions) if actions.is_empty());
    Ok(match () {
        () if is_refused => Exit::Refused,
        // A node of which nothing is known is not known to have nothing to do.
        () if member.roster.nodes().any(|node| !decided.contains_key(node)) => Exit::Drift,
        () if decided.values().all(|terms| is_quiet(&terms.decided)) => Exit::Done,
        () => Exit::Drift,
    })
}

//! A plan in the words of `openclaw secrets apply`, version 1 of its plans.
//!
//! Those put references where secrets stood, in `openclaw.json` and in no other file: they write no
//! secret and remove no copy. What they cannot say is told beside them (docs/decisions/0024).

use std::io::Write;

use anyhow::Result;
use precedent::{
    Proposal,
    model::{Place, Snapshot},
    plan::{Change, ChangeKind, Step},
};
use serde_json::{Value, json};

use crate::cli::{json, session::warn, text};

/// The places of the preset that OpenClaw's plans know, each of a type of the same name.
const TARGETS: [&str; 4] = [
    "gateway.auth.token",
    "gateway.auth.password",
    "gateway.remote.token",
    "gateway.remote.password",
];

/// The fact that says which file OpenClaw takes for its configuration.
const CONFIGURATION: &str = "config-path";

/// Prints what can be said of a plan, and on standard error what cannot. Gives back whether all was
/// said that is to change.
pub(super) fn tell(out: &mut impl Write, proposal: &Proposal) -> Result<bool> {
    text::findings(&mut anstream::stderr().lock(), proposal)?;
    let Some(plan) = proposal.plan() else {
        text::ruling(&mut anstream::stderr().lock(), proposal)?;
        return Ok(true);
    };
    let mut targets = Vec::new();
    let mut is_whole = true;
    for change in plan.changes() {
        match target(&proposal.snapshot, change) {
            Ok(target) => targets.push(target),
            Err(reason) => {
                is_whole = false;
                warn(&format!(
                    "not in this plan: {} ({}): {reason}; precedent apply does it",
                    change.to, change.target
                ));
            }
        }
    }
    for step in plan.steps() {
        if let Step::Restart { consumer, reason } = step {
            warn(&format!("not in this plan: a restart of {consumer}: {reason}"));
        }
    }
    let document = json!({
        "version": 1,
        "protocolVersion": 1,
        "targets": targets,
        // It would take the lines of `.env` away to which the references lead.
        "options": {"scrubEnv": false, "scrubAuthProfilesForProviderTargets": false},
    });
    json::print(out, &document)?;
    Ok(is_whole)
}

/// A change as OpenClaw says it, or why it cannot.
fn target(snapshot: &Snapshot, change: &Change) -> Result<Value, &'static str> {
    match change.action {
        ChangeKind::Refer => {}
        ChangeKind::Remove => return Err("OpenClaw's plans remove nothing"),
        ChangeKind::SetFact => return Err("OpenClaw's plans change secrets only"),
        _ => return Err("OpenClaw's plans hold references only, and a secret is written there"),
    }
    let configuration = snapshot.facts.get(CONFIGURATION).and_then(|fact| fact.value.as_deref());
    if configuration.is_none_or(|path| change.path.as_os_str() != path) {
        return Err("OpenClaw's plans change the one configuration that it starts from");
    }
    let place = change.place().filter(|place| TARGETS.contains(&place.as_str()));
    let place = place.ok_or("OpenClaw's plans do not know this place")?;
    let from = snapshot.locations.iter().find(|from| Some(&from.name) == change.from.as_ref());
    let Some(Place::Variable(variable)) = from.map(|from| &from.place) else {
        return Err("what it refers to is no variable");
    };
    Ok(json!({
        "type": place,
        "path": place,
        "pathSegments": place.split('.').collect::<Vec<_>>(),
        "ref": {"source": "env", "provider": "default", "id": variable},
    }))
}

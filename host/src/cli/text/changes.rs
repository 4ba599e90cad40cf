//! The changes, and what became of them.

use std::io::Write;

use precedent::{
    Proposal,
    apply::{Outcome, Status},
    model::{Presence, Snapshot},
    plan::{Change, ChangeKind, Plan, Step},
};

use super::super::session::Session;
use super::{
    standings,
    words::{
        BOLD, CYAN, DIM, GREEN, RED, Written, YELLOW, fingerprint, harmless, holds, label, paint,
        section, severity_word,
    },
};

/// The changes by file, as a diff with fingerprints.
pub(crate) fn diff(out: &mut impl Write, proposal: &Proposal) -> Written {
    let snapshot = &proposal.snapshot;
    let Some(plan) = proposal.plan() else {
        return Ok(());
    };
    if plan.is_empty() {
        writeln!(out, "{}", paint(GREEN, "Nothing to change."))?;
    }
    let mut file = None;
    for change in plan.changes() {
        let is_of_a_file = !change.path.as_os_str().is_empty();
        let title = match is_of_a_file {
            true => change.path.display().to_string(),
            false => change.target.clone(),
        };
        if file.as_ref() != Some(&title) {
            writeln!(out, "{}", paint(BOLD, &format!("--- {}", harmless(&title))))?;
            file = Some(title);
        }
        if is_of_a_file {
            let place = change.place().unwrap_or_else(|| "the whole file".to_owned());
            writeln!(out, "{}", paint(CYAN, &format!("@@ {} @@", harmless(&place))))?;
        }
        if let Some(old) = old(snapshot, change) {
            writeln!(out, "{} {old}", paint(RED, "-"))?;
        }
        let from = change.from.as_deref().and_then(|name| snapshot.location_named(name));
        let new = match (change.action, from) {
            (ChangeKind::Write, Some((id, _))) => {
                Some(format!("{} from {}", fingerprint(snapshot, id), label(snapshot, id)))
            }
            (ChangeKind::Refer, Some((id, _))) => {
                Some(format!("reference to {}", label(snapshot, id)))
            }
            (ChangeKind::Mint, _) => Some("a new secret".to_owned()),
            (ChangeKind::SetFact, _) => change.value.as_deref().map(harmless),
            _ => None,
        };
        if let Some(new) = new {
            writeln!(out, "{} {new}", paint(GREEN, "+"))?;
        }
        writeln!(out, "  {}", paint(DIM, &harmless(&change.reason)))?;
        if let Some(effect) = &change.effect {
            writeln!(out, "  {} {}", paint(YELLOW, "!"), harmless(effect))?;
        }
    }
    steps(out, "", plan.steps())
}

/// What is left to the operator.
pub(super) fn steps(out: &mut impl Write, indent: &str, steps: &[Step]) -> Written {
    for step in steps {
        match step {
            Step::Restart { consumer, reason } => {
                let (consumer, reason) = (harmless(consumer), harmless(reason));
                writeln!(out, "{indent}then restart {consumer}: {reason}")?;
            }
            Step::Alert { severity, message } => {
                writeln!(out, "{indent}{} {}", severity_word(*severity), harmless(message))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// What stands there now, if anything does.
fn old(snapshot: &Snapshot, change: &Change) -> Option<String> {
    if change.action == ChangeKind::SetFact {
        return snapshot.facts.get(&change.to)?.value.as_deref().map(harmless);
    }
    let (_, location) = snapshot.location_named(&change.to)?;
    (location.presence != Presence::Absent).then(|| holds(location))
}

/// What became of the changes, and what each consumer gets now.
pub(crate) fn outcome(
    out: &mut impl Write,
    session: &Session,
    outcome: &Outcome,
    proposal: &Proposal,
    after: Option<&Proposal>,
) -> Written {
    if !outcome.changes.is_empty() {
        section(out, "Done")?;
    }
    let planned = proposal.plan().map(Plan::changes).unwrap_or_default();
    for change in &outcome.changes {
        let is_removal = |planned: &Change| {
            planned.target == change.target && planned.action == ChangeKind::Remove
        };
        let status = match change.status {
            Status::Applied if planned.iter().any(is_removal) => paint(GREEN, "✓ removed"),
            Status::Applied => paint(GREEN, "✓ written"),
            Status::RolledBack => paint(YELLOW, "put back"),
            Status::Unchanged => paint(DIM, "unchanged"),
            _ => paint(RED, "✗ failed"),
        };
        writeln!(out, "  {status} {} ({})", harmless(&change.to), harmless(&change.target))?;
    }
    if let Some(run) = outcome.run {
        let undo = format!("precedent rollback {run}{}", session.manifest);
        writeln!(out, "  {}", paint(DIM, &format!("to put it back as it was: {undo}")))?;
    }
    let now = after.unwrap_or(proposal);
    if after.is_some() || !now.is_in_order() {
        section(out, "Now")?;
        standings::standings(out, now)?;
    }
    if let Some(after) = after {
        super::ruling(out, after)?;
    }
    super::state(out, now)
}

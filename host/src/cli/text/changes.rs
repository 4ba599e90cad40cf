//! The changes, and what became of them.

use std::io::Write;

use precedent::{
    Proposal, Ruling,
    apply::{Outcome, Status},
    model::{Pointer, Presence, Snapshot},
    plan::{ChangeKind, Step},
};

use super::{
    standings::standings,
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
    for change in &plan.changes {
        let (path, place) = change.target.split_once('#').unwrap_or((&change.target, ""));
        if file != Some(path) {
            writeln!(out, "{}", paint(BOLD, &format!("--- {path}")))?;
            file = Some(path);
        }
        writeln!(out, "{}", paint(CYAN, &format!("@@ {} @@", dotted(place))))?;
        let old = snapshot.location_named(&change.to).map(|(_, location)| holds(location));
        if let Some(old) = old.filter(|_| !is_absent(snapshot, &change.to)) {
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
            (ChangeKind::SetFact, _) => Some("a new value".to_owned()),
            _ => None,
        };
        if let Some(new) = new {
            writeln!(out, "{} {new}", paint(GREEN, "+"))?;
        }
        writeln!(out, "  {}", paint(DIM, &harmless(&change.reason)))?;
    }
    for step in &plan.steps {
        match step {
            Step::Restart { consumer, reason } => {
                writeln!(out, "then restart {}: {}", harmless(consumer), harmless(reason))?;
            }
            Step::Alert { severity, message } => {
                writeln!(out, "{} {}", severity_word(*severity), harmless(message))?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_absent(snapshot: &Snapshot, name: &str) -> bool {
    snapshot.location_named(name).is_some_and(|(_, location)| location.presence == Presence::Absent)
}

fn dotted(pointer: &str) -> String {
    Pointer::parse(pointer).map_or_else(|_| pointer.to_owned(), |p| p.dotted())
}

/// What became of the changes, and what each consumer gets now.
pub(crate) fn outcome(
    out: &mut impl Write,
    proposal: &Proposal,
    outcome: &Outcome,
    after: Option<&Proposal>,
) -> Written {
    if !outcome.changes.is_empty() {
        section(out, "Done")?;
    }
    for change in &outcome.changes {
        let status = match change.status {
            Status::Applied => paint(GREEN, "✓ written"),
            Status::RolledBack => paint(YELLOW, "put back"),
            _ => paint(RED, "✗ failed"),
        };
        writeln!(out, "  {status} {} ({})", harmless(&change.to), change.target)?;
    }
    let now = after.unwrap_or(proposal);
    if !matches!(now.ruling, Ruling::Decided(..)) {
        return Ok(());
    }
    if let Some(after) = after {
        section(out, "Now")?;
        standings(out, after)?;
    }
    if now.drifts() {
        writeln!(out, "\n{} The findings say why.", paint(RED, "Still drifting."))
    } else {
        super::in_sync(out, now)
    }
}

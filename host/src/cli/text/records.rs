//! The journal, and one record of it.

use std::io::Write;

use precedent::{
    apply::{RunState, Status},
    record::{Came, Recorded},
};

use super::{
    changes::steps,
    findings_in, refusal,
    runs::time,
    standings::{copies_in, reasons_in, standings_in},
    table::Table,
    violations,
    words::{BOLD, CYAN, DIM, GREEN, RED, Written, YELLOW, harmless, paint, section},
};
use crate::cli::rollback::in_words;

/// More of an error than this is for `log show`.
const MOST_WORDS: usize = 60;

/// A line of the table.
pub(crate) struct Row([String; 7]);

impl Row {
    pub(crate) fn of(record: &Recorded) -> Self {
        Self([
            paint(BOLD, &record.number.to_string()),
            time(record.at),
            harmless(&record.verb),
            phase(record),
            policy(record),
            came(record),
            outcome(record),
        ])
    }
}

/// The records, newest last.
pub(crate) fn records(out: &mut impl Write, deployment: &str, rows: Vec<Row>) -> Written {
    if rows.is_empty() {
        let name = harmless(deployment);
        return writeln!(
            out,
            "{name}: no such run is recorded; every run of `precedent` leaves a record"
        );
    }
    let mut table = Table::new(&["RECORD", "WHEN", "VERB", "PHASE", "POLICY", "RESULT", "OUTCOME"]);
    for Row(cells) in rows {
        table.add_row(cells);
    }
    writeln!(out, "{}", table)
}

fn phase(record: &Recorded) -> String {
    let phase = serde_json::to_value(record.phase);
    phase.ok().and_then(|phase| phase.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}

/// Name and short digest; earlier records have the digest alone.
fn policy(record: &Recorded) -> String {
    let name = record.policy.as_ref().map(|policy| harmless(&policy.name));
    let digest = record.digests.as_ref().map(|digests| short(&digests.policy));
    [name, digest].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

pub(super) fn short(digest: &str) -> String {
    let digits: String = digest.trim_start_matches("sha256:").chars().take(8).collect();
    paint(DIM, &harmless(&digits))
}

fn came(record: &Recorded) -> String {
    let planned = record.planned();
    match record.came() {
        Came::InSync => paint(GREEN, "in sync"),
        Came::Drift if planned > 0 => format!("{}, {planned} to change", paint(RED, "drift")),
        Came::Drift => paint(RED, "drift"),
        Came::Changed if record.changed() == 1 => paint(YELLOW, "1 change"),
        Came::Changed => paint(YELLOW, &format!("{} changes", record.changed())),
        Came::Refused => {
            let code = record.refusal.as_ref().map_or("", |refusal| &refusal.code);
            format!("{} {}", paint(RED, "refused"), harmless(code))
        }
        Came::Violated => {
            let mut rules: Vec<String> =
                record.violations.iter().flatten().map(|one| harmless(&one.rule)).collect();
            rules.dedup();
            format!("{} {}", paint(RED, "violated"), rules.join(", "))
        }
        Came::Mended => paint(YELLOW, "mended"),
        _ => paint(RED, "error"),
    }
}

fn outcome(record: &Recorded) -> String {
    if let Some(error) = &record.error {
        let error = harmless(error);
        let cut: String = error.chars().take(MOST_WORDS).collect();
        return if cut == error { cut } else { format!("{cut}…") };
    }
    if let Some(recovery) = &record.recovery {
        return format!("run {} {}", recovery.run, in_words(recovery.state));
    }
    let Some(outcome) = &record.outcome else { return String::new() };
    let count = |status| outcome.changes.iter().filter(|change| change.status == status).count();
    let counts = [
        (count(Status::Applied), "applied"),
        (count(Status::RolledBack), "put back"),
        (count(Status::Failed), "failed"),
        (count(Status::Unchanged), "unchanged"),
    ];
    let mut words: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    words.extend(outcome.run.map(|run| format!("run {run}")));
    words.join(", ")
}

/// One record in full, as `explain` shows an installation.
pub(crate) fn record(out: &mut impl Write, record: &Recorded) -> Written {
    let title = format!("Record {}: {}", record.number, harmless(&record.verb));
    writeln!(out, "{} at {}, phase {}", paint(BOLD, &title), time(record.at), phase(record))?;
    let version = record.policy.as_ref().map(|policy| harmless(&policy.version));
    let under = match version {
        Some(version) => format!("{}, version {version}", policy(record)),
        None => policy(record),
    };
    let name = paint(BOLD, &harmless(&record.deployment));
    if under.is_empty() {
        writeln!(out, "{name}: {}\n", came(record))?;
    } else {
        writeln!(out, "{name} under policy {under}: {}\n", came(record))?;
    }
    if let Some(snapshot) = &record.snapshot {
        if let Some(decision) = &record.decision {
            standings_in(out, snapshot, decision)?;
            reasons_in(out, snapshot, decision)?;
        }
        copies_in(out, snapshot)?;
        changes(out, record)?;
        findings_in(out, snapshot, record.decision.as_ref())?;
    }
    if let Some(refused) = &record.refusal {
        refusal(out, refused)?;
    }
    if let Some(broken) = &record.violations {
        violations(out, broken)?;
    }
    became(out, record)
}

fn changes(out: &mut impl Write, record: &Recorded) -> Written {
    let Some(plan) = record.plan.as_ref().filter(|plan| !plan.changes.is_empty()) else {
        return Ok(());
    };
    section(out, "Changes")?;
    for change in &plan.changes {
        let action = serde_json::to_value(change.action).unwrap_or_default();
        let from =
            change.from.as_ref().map_or_else(String::new, |from| format!("{} → ", harmless(from)));
        let (to, target) = (harmless(&change.to), harmless(&change.target));
        writeln!(
            out,
            "  {} {from}{to} ({target})",
            paint(CYAN, action.as_str().unwrap_or("change"))
        )?;
        writeln!(out, "      {}", paint(DIM, &harmless(&change.reason)))?;
    }
    steps(out, "  ", &plan.steps)
}

fn became(out: &mut impl Write, record: &Recorded) -> Written {
    if let Some(outcome) = record.outcome.as_ref().filter(|outcome| !outcome.changes.is_empty()) {
        section(out, "Outcome")?;
        for change in &outcome.changes {
            let status = match change.status {
                Status::Applied => paint(GREEN, "✓ written"),
                Status::RolledBack => paint(YELLOW, "put back"),
                Status::Unchanged => paint(DIM, "unchanged"),
                _ => paint(RED, "✗ failed"),
            };
            writeln!(out, "  {status} {} ({})", harmless(&change.to), harmless(&change.target))?;
        }
        if let Some(run) = outcome.run {
            writeln!(out, "  {}", paint(DIM, &format!("it is run {run}")))?;
        }
    }
    if let Some(recovery) = &record.recovery {
        let became = match recovery.state {
            RunState::Done => "all of it was there already",
            _ => "what it had changed was put back",
        };
        writeln!(out, "Run {} had been interrupted: {became}", recovery.run)?;
    }
    match &record.error {
        Some(error) => writeln!(out, "\n{} {}", paint(RED.bold(), "error:"), harmless(error)),
        None => Ok(()),
    }
}

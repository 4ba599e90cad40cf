//! One installation under several policies.

use std::io::Write;

use precedent::{
    Ruling,
    model::{ConsumerId, Snapshot, Verdict},
};

use super::{
    in_one_line,
    standings::{matters, today},
    table::Table,
    words::{BOLD, DIM, GREEN, RED, Written, YELLOW, copy, harmless, paint, section},
};
use crate::cli::what_if::Column;

/// What each program uses, what each policy would have it use, and what each would do.
pub(crate) fn columns(
    out: &mut impl Write,
    snapshot: &Snapshot,
    columns: &[Column],
    differ: bool,
) -> Written {
    writeln!(out, "{}\n", paint(BOLD, &harmless(&snapshot.deployment)))?;
    let names: Vec<String> = columns.iter().map(|column| title(&harmless(column.name()))).collect();
    let header = ["PROGRAM", "CREDENTIAL", "USES TODAY"];
    let header: Vec<&str> = header.into_iter().chain(names.iter().map(String::as_str)).collect();
    let mut table = Table::new(&header);
    for (index, consumer) in snapshot.consumers.iter().enumerate() {
        let id = ConsumerId::from_index(index);
        let verdicts: Vec<Option<&Verdict>> =
            columns.iter().map(|column| column.verdict(id)).collect();
        let Some(first) = verdicts.iter().flatten().find(|verdict| matters(snapshot, verdict))
        else {
            continue;
        };
        let mut cells = vec![
            paint(BOLD, &harmless(&consumer.name)),
            harmless(snapshot.credential(consumer.credential)),
            today(snapshot, first.today),
        ];
        for verdict in &verdicts {
            let Some(verdict) = verdict else {
                cells.push(paint(DIM, "no answer"));
                continue;
            };
            let wanted = match verdict.wanted {
                Some(wanted) => copy(snapshot, wanted),
                None => paint(DIM, "no say"),
            };
            let is_other = verdict.wanted != first.wanted || verdict.today != first.today;
            cells.push(if is_other {
                format!("{} {wanted}", paint(YELLOW, "≠"))
            } else {
                wanted
            });
        }
        table.add_row(cells);
    }
    for (title, cell) in [("changes", changes as fn(&Column) -> String), ("ruling", ruling)] {
        let mut cells = vec![paint(DIM, title), String::new(), String::new()];
        cells.extend(columns.iter().map(cell));
        table.add_row(cells);
    }
    writeln!(out, "{}", table)?;
    own_findings(out, columns)?;
    said(out, columns)?;
    let words = if differ {
        paint(YELLOW, "The policies differ. Nothing was written.")
    } else {
        paint(GREEN, "The policies agree. Nothing was written.")
    };
    writeln!(out, "\n{words}")
}

/// A name as a title; a path stays as it is.
fn title(name: &str) -> String {
    if name.contains(['/', '.']) { name.to_owned() } else { name.to_uppercase() }
}

fn changes(column: &Column) -> String {
    match &column.ruling {
        Ok(Ruling::Decided(..)) => column.changes().len().to_string(),
        _ => paint(DIM, "none"),
    }
}

fn ruling(column: &Column) -> String {
    match &column.ruling {
        Ok(Ruling::Decided(..)) => paint(GREEN, "decided"),
        Ok(Ruling::Refused(refusal)) => {
            format!("{} {}", paint(RED, "refused"), harmless(&refusal.code))
        }
        Ok(_) => paint(RED, "violated"),
        Err(_) => paint(RED, "error"),
    }
}

/// The codes of what not all of them find.
fn own_findings(out: &mut impl Write, columns: &[Column]) -> Written {
    let mut is_titled = false;
    for column in columns.iter().filter(|column| column.decision().is_some()) {
        let is_own = |code: &&str| {
            let mut others = columns.iter().filter(|other| other.decision().is_some());
            !others.all(|other| other.codes().contains(code))
        };
        let codes: Vec<String> = column.codes().into_iter().filter(is_own).map(harmless).collect();
        if codes.is_empty() {
            continue;
        }
        if !is_titled {
            section(out, "Findings that not all of them have")?;
            is_titled = true;
        }
        writeln!(out, "  {}: {}", paint(BOLD, &harmless(column.name())), codes.join(", "))?;
    }
    Ok(())
}

/// What a policy has to say where it decides nothing that could be done.
fn said(out: &mut impl Write, columns: &[Column]) -> Written {
    for column in columns {
        let words = match &column.ruling {
            Ok(Ruling::Refused(refusal)) => harmless(&refusal.reason),
            Ok(Ruling::Violated(_, violations)) => {
                let messages = violations.0.iter().map(|one| harmless(&one.message));
                messages.collect::<Vec<_>>().join("; ")
            }
            Err(error) => in_one_line(error),
            Ok(_) => continue,
        };
        writeln!(out, "\n{}: {words}", paint(RED.bold(), &harmless(column.name())))?;
    }
    Ok(())
}

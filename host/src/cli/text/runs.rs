//! The runs that are kept, and what became of one that is taken back.

use std::io::Write;

use precedent::apply::{Outcome, Run, RunState};
pub(crate) use precedent::record::moment as time;

use super::super::rollback::in_words;
use super::{
    table::Table,
    words::{BOLD, DIM, GREEN, RED, Written, YELLOW, harmless, paint, section},
};

/// Says that there is nothing to take a run back with.
pub(crate) fn backup(outcome: &Outcome) {
    if let Some(reason) = &outcome.without_backup {
        super::super::session::warn(&format!("this run cannot be rolled back: {reason}"));
    }
}

/// The runs that are kept, newest first.
pub(crate) fn runs(out: &mut impl Write, deployment: &str, runs: &[(Run, RunState)]) -> Written {
    if runs.is_empty() {
        return writeln!(
            out,
            "{}: no run has changed anything, or none is kept",
            harmless(deployment)
        );
    }
    let mut table = Table::new(&["RUN", "WHEN", "WHAT", "STATE", "FILES"]);
    for (run, state) in runs.iter().rev() {
        let what = match run.of {
            Some(of) => format!("{} of {of}", run.verb),
            None => run.verb.clone(),
        };
        let colour = match state {
            RunState::Done => GREEN,
            RunState::Begun => RED,
            RunState::RolledBack => YELLOW,
            _ => DIM,
        };
        let files: Vec<String> =
            run.targets.iter().map(|target| harmless(&target.path.display().to_string())).collect();
        table.add_row([
            paint(BOLD, &run.run.to_string()),
            time(run.at),
            harmless(&what),
            paint(colour, in_words(*state)),
            files.join("\n"),
        ]);
    }
    writeln!(out, "{}", table)
}

/// What a run changed, and what became of it.
pub(crate) fn rollback(
    out: &mut impl Write,
    manifest: &str,
    run: &Run,
    outcome: Option<&Outcome>,
) -> Written {
    let title = format!("Run {} ({} of {})", run.run, harmless(&run.verb), time(run.at));
    writeln!(out, "{}", paint(BOLD, &title))?;
    let word = if outcome.is_some() {
        paint(GREEN, "✓ put back")
    } else {
        paint(DIM, "would be put back")
    };
    for target in &run.targets {
        writeln!(out, "  {word} {}", harmless(&target.path.display().to_string()))?;
    }
    let Some(outcome) = outcome else {
        return writeln!(out, "\nDry run: nothing was written.");
    };
    if let Some(again) = outcome.run {
        let words = format!("to take that back too: precedent rollback {again}{manifest}");
        writeln!(out, "  {}", paint(DIM, &words))?;
    }
    section(out, "Next")?;
    writeln!(out, "  precedent explain{manifest}    what each program uses now")?;
    writeln!(out, "  The next `precedent apply` decides anew, and may write the same again.")
}

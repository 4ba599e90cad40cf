//! A program that was or was not started, and what was written before.

use std::{ffi::OsString, io::Write};

use precedent::apply::Outcome;

use super::super::launch::Held;
use super::words::{CYAN, RED, Written, harmless, paint};

/// Why a program is not started, and what to do.
pub(crate) fn held(out: &mut (impl Write + ?Sized), command: &[OsString], held: &Held) -> Written {
    let program = command.first().map(|program| program.display().to_string());
    let program = harmless(&program.unwrap_or_default());
    let title = paint(RED.bold(), "error:");
    writeln!(out, "{title} {program} is not started: {}", harmless(&held.message))?;
    writeln!(out, "  {} {}", paint(CYAN, "→"), harmless(&held.remedy))
}

/// What was written, in a line for each place.
pub(crate) fn written(out: &mut impl Write, outcome: &Outcome) -> Written {
    outcome.changes.iter().try_for_each(|change| {
        writeln!(
            out,
            "precedent: {} is written: {}",
            harmless(&change.to),
            harmless(&change.target)
        )
    })
}

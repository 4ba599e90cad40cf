//! Which calls fail of a disagreement, and which go on.

use std::io::Write;

use precedent::{CallImpact, CallState, Health, Impact};

use super::words::{DIM, GREEN, RED, Written, YELLOW, harmless, paint, section};

/// The calls of a deployment: those that fail first, those that go on in one line.
pub(crate) fn calls(out: &mut impl Write, impact: &Impact) -> Written {
    section(out, "Calls")?;
    let (word, style) = match impact.health {
        Health::Up => ("all go on", GREEN),
        Health::Uncertain => ("none is known to fail, and not all could be compared", YELLOW),
        Health::Degraded => ("degraded, not down", YELLOW),
        _ => ("down", RED),
    };
    writeln!(out, "  {}", paint(style, word))?;
    rows(out, impact.calls_that(CallState::Fails), &paint(RED, "✗ fails"))?;
    rows(out, impact.calls_that(CallState::NotKnown), &paint(YELLOW, "? not known"))?;
    let on: Vec<String> =
        impact.calls_that(CallState::Works).map(|call| harmless(&call.call)).collect();
    if !on.is_empty() {
        writeln!(out, "  {} {}", paint(GREEN, "✓ goes on"), on.join(", "))?;
    }
    Ok(())
}

/// The same for a message: a sentence for each call that may fail, and one for all that go on.
pub(crate) fn in_sentences(impact: &Impact) -> Vec<String> {
    let sentence = |call: &CallImpact| {
        let state = if call.state == CallState::Fails { "fails" } else { "may fail" };
        format!("{} {state}: {}", harmless(&call.call), harmless(&call.because.join("; ")))
    };
    let fails = impact.calls_that(CallState::Fails);
    let mut all: Vec<String> =
        fails.chain(impact.calls_that(CallState::NotKnown)).map(sentence).collect();
    let on: Vec<String> =
        impact.calls_that(CallState::Works).map(|call| harmless(&call.call)).collect();
    match on.as_slice() {
        [] => {}
        [one] => all.push(format!("{one} goes on")),
        many => all.push(format!("{} go on", many.join(", "))),
    }
    all
}

fn rows<'c>(
    out: &mut impl Write,
    calls: impl Iterator<Item = &'c CallImpact>,
    mark: &str,
) -> Written {
    for call in calls {
        writeln!(out, "  {mark} {}", harmless(&call.call))?;
        for why in &call.because {
            writeln!(out, "      {}", paint(DIM, &harmless(why)))?;
        }
    }
    Ok(())
}

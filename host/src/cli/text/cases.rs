//! Cases that failed, were left out, or do not reach something.

use std::{collections::BTreeSet, io::Write, path::Path};

use precedent::{
    cases::{Case, CaseResult, LeftOut},
    model::Snapshot,
};
use serde_json::Value;
use similar::{ChangeTag, TextDiff};

use super::words::{BOLD, DIM, GREEN, RED, Written, YELLOW, harmless, paint, section};
use crate::cli::test::Coverage;

/// A case that failed: what was expected and what came out.
pub(crate) fn failed_case(out: &mut impl Write, result: &CaseResult) -> Written {
    writeln!(out, "{} {}", paint(RED.bold(), "FAIL"), harmless(&result.name))?;
    if let Some(source) = &result.source {
        writeln!(out, "  {}", paint(DIM, &harmless(&source.to_string())))?;
    }
    for mismatch in &result.mismatches {
        let (expected, actual) = (&mismatch.expected, &mismatch.actual);
        let what = harmless(&mismatch.what);
        if expected.is_array() && actual.is_array() {
            let (minus, plus) = (paint(RED, "- expected"), paint(GREEN, "+ actual"));
            writeln!(out, "  {what} ({minus}, {plus})")?;
            changed(out, expected, actual)?;
        } else {
            writeln!(out, "  {what}")?;
            writeln!(out, "    {} {}", paint(GREEN, "expected"), harmless(&expected.to_string()))?;
            writeln!(out, "    {} {}", paint(RED, "actual  "), harmless(&actual.to_string()))?;
        }
    }
    Ok(())
}

/// Two values, the one and what became of it; line by line where they are lists or objects.
pub(super) fn changed(out: &mut impl Write, one: &Value, other: &Value) -> Written {
    let (one, other) = (lines(one), lines(other));
    for change in TextDiff::from_lines(&one, &other).iter_all_changes() {
        let line = harmless(change.value().trim_end());
        match change.tag() {
            ChangeTag::Delete => writeln!(out, "    {}", paint(RED, &format!("- {line}")))?,
            ChangeTag::Insert => writeln!(out, "    {}", paint(GREEN, &format!("+ {line}")))?,
            ChangeTag::Equal => writeln!(out, "      {line}")?,
        }
    }
    Ok(())
}

/// One line for each element of a list, and for each key of an object.
fn lines(value: &Value) -> String {
    match value {
        Value::Array(list) if list.is_empty() => "none\n".to_owned(),
        Value::Array(list) => list.iter().map(|one| format!("{one}\n")).collect(),
        Value::Null => "none\n".to_owned(),
        other => format!("{other}\n"),
    }
}

/// A recording that is no case.
pub(crate) fn left_out(out: &mut impl Write, left_out: &LeftOut) -> Written {
    let (name, why) = (harmless(&left_out.name), harmless(&left_out.why));
    writeln!(out, "{} {name}: {why}", paint(DIM, "left out"))
}

/// What was captured, and how to run it.
pub(crate) fn captured(
    out: &mut impl Write,
    path: &Path,
    flags: &str,
    snapshot: &Snapshot,
    case: &Case,
) -> Written {
    let secrets: BTreeSet<_> =
        snapshot.locations.iter().filter_map(|location| location.presence.fingerprint()).collect();
    let path = harmless(&path.display().to_string());
    writeln!(
        out,
        "{path}: {} locations, {} secrets as stand-ins; run it with: {}",
        snapshot.locations.len(),
        secrets.len(),
        paint(BOLD, &format!("precedent test{flags} {path}")),
    )?;
    let facts: Vec<String> = case.facts().map(harmless).collect();
    if !facts.is_empty() {
        let note = "facts that the decision goes by are in it as they stand; look at them before you give it away:";
        writeln!(out, "{note} {}", facts.join(", "))?;
    }
    Ok(())
}

/// What the policy can say and do, and no case makes it.
pub(crate) fn coverage(out: &mut impl Write, coverage: &Coverage) -> Written {
    section(out, "Coverage: what the policy can say and do, and the cases make it")?;
    for part in coverage.parts() {
        let (all, missing) = (part.all.len(), &part.missing);
        let reached = all - missing.len();
        let style = if missing.is_empty() { GREEN } else { YELLOW };
        let count = paint(style, &format!("{reached:>5} of {all:<5}"));
        writeln!(out, "  {count} {}", paint(BOLD, part.name))?;
        list(out, missing)?;
    }
    Ok(())
}

/// So many are named; scripts get them all.
const MOST: usize = 12;

fn list(out: &mut impl Write, missing: &BTreeSet<String>) -> Written {
    for one in missing.iter().take(MOST) {
        writeln!(out, "                 {} {}", paint(DIM, "no case:"), harmless(one))?;
    }
    match missing.len().saturating_sub(MOST) {
        0 => Ok(()),
        more => writeln!(
            out,
            "                 {}",
            paint(DIM, &format!("and {more} more; --format json has them all"))
        ),
    }
}

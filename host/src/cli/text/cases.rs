//! Cases that failed or were left out.

use std::io::Write;

use precedent::cases::{CaseResult, LeftOut};

use super::words::{DIM, GREEN, RED, Written, harmless, paint};

/// A case that failed: what was expected and what came out.
pub(crate) fn failed_case(out: &mut impl Write, result: &CaseResult) -> Written {
    writeln!(out, "{} {}", paint(RED.bold(), "FAIL"), harmless(&result.name))?;
    for mismatch in &result.mismatches {
        writeln!(out, "  {}", mismatch.what)?;
        writeln!(out, "    {} {}", paint(GREEN, "expected"), mismatch.expected)?;
        writeln!(out, "    {} {}", paint(RED, "actual  "), mismatch.actual)?;
    }
    Ok(())
}

/// A recording that is no case.
pub(crate) fn left_out(out: &mut impl Write, left_out: &LeftOut) -> Written {
    let (name, why) = (harmless(&left_out.name), harmless(&left_out.why));
    writeln!(out, "{} {name}: {why}", paint(DIM, "left out"))
}

//! What was shown of a policy over many states.

use std::io::Write;

use precedent::{
    model::named::Difference,
    prove::{Covered, Proof, Property},
};
use serde_json::json;

use super::{
    cases::changed,
    words::{BOLD, CYAN, DIM, GREEN, RED, Written, YELLOW, harmless, indented, paint, section},
};
use crate::cli::{policy::Differing, subject::Subject};

/// Each property, the smallest state in which one does not hold, and how many states were looked at.
pub(crate) fn proof(
    out: &mut impl Write,
    subject: &Subject,
    proof: &Proof,
    only: &[String],
) -> Written {
    subject_line(out, subject)?;
    for property in Property::ALL {
        let (mark, note) = match proof.broken.get(&property) {
            None if proof.counts.looked.contains_key(&property) => {
                (paint(GREEN, "holds"), String::new())
            }
            None => (paint(YELLOW, "  ?  "), " (not looked at)".to_owned()),
            Some(broken) => {
                let of = if broken.states == 1 { "state" } else { "states" };
                (paint(RED.bold(), "fails"), format!(" (not in {} {of})", broken.states))
            }
        };
        writeln!(out, "  {mark}  {}{}", property.in_words(), paint(RED, &note))?;
    }
    for (property, broken) in &proof.broken {
        section(out, &format!("Fails: {}", property.in_words()))?;
        writeln!(out, "  where: {}", harmless(&broken.case.name))?;
        writeln!(out, "  what:  {}", harmless(&broken.failure.message))?;
        let test = format!("precedent test{} FILE", subject.flags);
        writeln!(out, "  as a case, for `{test}`:")?;
        writeln!(out, "{}", paint(DIM, &indented(&format!("{:#}", json!(broken.case)))))?;
    }
    let verdict = match proof.is_proven() {
        true => paint(GREEN.bold(), "proven"),
        false if proof.broken.is_empty() => {
            paint(RED.bold(), "nothing shown, for no state got a decision,")
        }
        false => paint(RED.bold(), "not proven"),
    };
    let counts = &proof.counts;
    let left = proof.covered.states - counts.asked;
    let left = if left == 0 { String::new() } else { format!(", settings not taken in {left}") };
    let only = match only {
        [] => String::new(),
        names => format!("; only {} varied", names.join(", ")),
    };
    let note = format!("acted in {}, refused in {}{left}{only}", counts.acted, counts.refused);
    writeln!(out, "\n  {}", paint(DIM, &note))?;
    writeln!(out, "{verdict} over {}", covered(&proof.covered))
}

/// The states in which two policies decide differently.
pub(crate) fn policy_diff(
    out: &mut impl Write,
    (one, other): (&Subject, &Subject),
    found: &[Differing],
    count: usize,
    over: &str,
) -> Written {
    let name = |subject: &Subject| {
        let digest = subject.policy.digest().get(..15).unwrap_or_default().to_owned();
        format!("{} ({digest})", harmless(&subject.policy.about().name))
    };
    for differing in found {
        writeln!(out, "{} {}", paint(BOLD, "where"), harmless(&differing.case.name))?;
        for Difference { what, one, other } in &differing.differences {
            writeln!(out, "  {}", harmless(what))?;
            changed(out, one, other)?;
        }
        writeln!(out)?;
    }
    if count > found.len() {
        let note = "each is the smallest state of its difference; --show COUNT shows more of them, --out DIR writes them as cases";
        writeln!(out, "{}\n", paint(DIM, note))?;
    }
    let (one, other) = (name(one), name(other));
    let verdict = match count {
        0 => paint(GREEN.bold(), "no difference"),
        1 => paint(RED.bold(), "1 state differs"),
        count => paint(RED.bold(), &format!("{count} states differ")),
    };
    writeln!(out, "{} {one}\n{} {other}", paint(RED, "-"), paint(GREEN, "+"))?;
    writeln!(out, "{verdict} over {over}")
}

/// Which policy it is, on which deployment.
pub(crate) fn subject_line(out: &mut impl Write, subject: &Subject) -> Written {
    let (about, digest) = (subject.policy.about(), subject.policy.digest());
    writeln!(
        out,
        "{} {} ({}) on {}\n",
        paint(BOLD, &harmless(&about.name)),
        harmless(&about.version),
        paint(DIM, digest.get(..15).unwrap_or(digest)),
        paint(BOLD, &harmless(&subject.deployment.name)),
    )
}

/// How many states, and which.
pub(crate) fn covered(covered: &Covered) -> String {
    let states = paint(CYAN, &format!("{} states", covered.states));
    match covered.up_to {
        None => format!("{states}, which are all there are"),
        Some(level) => format!(
            "{states} of about {:.0e}: all with at most {level} things out of the ordinary, and {} by chance (seed {})",
            covered.of, covered.sampled, covered.seed
        ),
    }
}

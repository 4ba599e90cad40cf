//! What people are shown. Colour goes away by itself where no terminal is (`anstream`).
//!
//! Words of a policy are made harmless first: a policy is somebody else's program, and a terminal
//! obeys what is written to it.
//!
//! | module | what |
//! |---|---|
//! | `standings` | who uses which copy, why, and which copies there are |
//! | `changes` | the changes, and what became of them |
//! | `calls` | which calls fail of a disagreement, and which go on |
//! | `cases` | cases that failed or were left out |
//! | `proofs` | what was shown of a policy over many states |
//! | `runs` | the runs that are kept |
//! | `records` | the journal, and one record of it |
//! | `fleet` | a fleet: how its nodes stand, what is decided for them, what happens on one |
//! | `flips` | what another policy would have decided |
//! | `columns` | one installation under several policies |
//! | `remedies` | the way out of an error, where there is one |
//! | `policies` | what a policy is made of, and what it takes |
//! | `programs` | a program that was or was not started, and what was written before |
//! | `watched` | what a watch tells, line by line |
//! | `table` | columns of text |
//! | `words` | words and colours that they share |

mod calls;
#[cfg(feature = "workbench")]
mod cases;
mod changes;
#[cfg(feature = "workbench")]
mod columns;
#[cfg(feature = "etcd")]
pub(crate) mod fleet;
#[cfg(feature = "workbench")]
mod flips;
#[cfg(feature = "workbench")]
mod policies;
#[cfg(feature = "exec")]
mod programs;
#[cfg(feature = "workbench")]
mod proofs;
#[cfg(feature = "workbench")]
mod records;
#[cfg(feature = "workbench")]
mod remedies;
mod runs;
mod standings;
mod table;
#[cfg(feature = "watch")]
mod watched;
mod words;

use std::io::Write;

use precedent::{
    Error, Proposal, Ruling,
    check::Violation,
    config::ManifestError,
    model::{Decision, Finding, Refusal, Snapshot},
    plan::drifts,
};

use super::session::Session;
use words::{BOLD, CYAN, DIM, GREEN, RED, Written, YELLOW, paint, section, severity_word};

pub(crate) use calls::{calls, in_sentences};
#[cfg(feature = "workbench")]
pub(crate) use cases::{captured, coverage, failed_case, left_out};
pub(crate) use changes::{diff, outcome};
#[cfg(feature = "workbench")]
pub(crate) use columns::columns;
#[cfg(feature = "workbench")]
pub(crate) use flips::flips;
#[cfg(feature = "workbench")]
pub(crate) use policies::{Setting, benched, built, fault, inspected, validated};
#[cfg(feature = "exec")]
pub(crate) use programs::{held, written};
#[cfg(feature = "workbench")]
pub(crate) use proofs::{covered, policy_diff, proof};
#[cfg(feature = "workbench")]
pub(crate) use records::{Row, record, records};
#[cfg(any(feature = "etcd", feature = "watch", feature = "workbench"))]
pub(crate) use runs::time;
pub(crate) use runs::{backup, rollback, runs};
pub(crate) use standings::{as_of, copies, reasons, shadows, standings};
#[cfg(feature = "watch")]
pub(crate) use watched::{stamped, watched};
pub(crate) use words::harmless;

/// Deployment, policy, phase, and the state in a word.
pub(crate) fn heading(out: &mut impl Write, session: &Session, proposal: &Proposal) -> Written {
    let about = session.host.policy().about();
    let digest = session.host.policy().digest();
    writeln!(
        out,
        "{} under policy {} {} ({})\n",
        paint(BOLD, &harmless(&proposal.snapshot.deployment)),
        paint(BOLD, &harmless(&about.name)),
        harmless(&about.version),
        paint(DIM, digest.get(..15).unwrap_or(digest)),
    )
}

/// In sync or not, in one line.
pub(crate) fn summary(out: &mut impl Write, proposal: &Proposal) -> Written {
    let name = harmless(&proposal.snapshot.deployment);
    let drifting = proposal.decision().map_or(0, |decision| {
        decision.verdicts.iter().filter(|v| drifts(&proposal.snapshot, v)).count()
    });
    let changes = proposal.plan().map_or(0, |plan| plan.changes().len());
    match &proposal.ruling {
        Ruling::Decided(..) if proposal.is_in_order() => {
            writeln!(out, "{name}: {}", paint(GREEN, "in sync"))
        }
        Ruling::Decided(..) if drifting + changes > 0 => writeln!(
            out,
            "{name}: {}: {drifting} {} another secret than the policy wants, or none; {changes} {} to change\n",
            paint(RED, "drift"),
            if drifting == 1 { "program gets" } else { "programs get" },
            if changes == 1 { "copy" } else { "copies" },
        ),
        Ruling::Decided(..) => writeln!(out, "{name}: {}\n", paint(RED, "not in order")),
        Ruling::Refused(_) => writeln!(out, "{name}: {}\n", paint(RED, "refused")),
        _ => {
            let words = "the policy's decision breaks the host's rules";
            writeln!(out, "{name}: {}\n", paint(RED, words))
        }
    }
}

/// What the host and the policy found.
pub(crate) fn findings(out: &mut impl Write, proposal: &Proposal) -> Written {
    findings_in(out, &proposal.snapshot, proposal.decision())
}

/// What the host and the policy found in a snapshot.
pub(super) fn findings_in(
    out: &mut impl Write,
    snapshot: &Snapshot,
    decision: Option<&Decision>,
) -> Written {
    let decided = decision.map(|decision| &decision.findings);
    let mut all: Vec<&Finding> =
        snapshot.findings.iter().chain(decided.into_iter().flatten()).collect();
    if all.is_empty() {
        return Ok(());
    }
    all.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    section(out, "Findings")?;
    for finding in all {
        writeln!(
            out,
            "  {} {}: {}",
            severity_word(finding.severity),
            harmless(&finding.code),
            harmless(&finding.message)
        )?;
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "      {} {}", paint(CYAN, "→"), harmless(remedy))?;
        }
    }
    Ok(())
}

/// A refusal, or the rules that are broken.
pub(crate) fn ruling(out: &mut impl Write, proposal: &Proposal) -> Written {
    match &proposal.ruling {
        Ruling::Refused(refusal) => self::refusal(out, refusal),
        Ruling::Violated(_, violations) => self::violations(out, &violations.0),
        _ => Ok(()),
    }
}

/// A refusal.
pub(super) fn refusal(out: &mut impl Write, refusal: &Refusal) -> Written {
    let title = paint(RED.bold(), "The policy refuses:");
    writeln!(out, "\n{title} {}: {}", harmless(&refusal.code), harmless(&refusal.reason))?;
    match &refusal.remedy {
        Some(remedy) => writeln!(out, "  {} {}", paint(CYAN, "→"), harmless(remedy)),
        None => Ok(()),
    }
}

/// The rules that are broken.
pub(super) fn violations(out: &mut impl Write, violations: &[Violation]) -> Written {
    let title = "The policy's decision breaks the host's rules; nothing is written:";
    writeln!(out, "\n{}", paint(RED.bold(), title))?;
    for violation in violations {
        writeln!(out, "  {}: {}", harmless(&violation.rule), harmless(&violation.message))?;
    }
    Ok(())
}

/// What to do next.
pub(crate) fn next_step(out: &mut impl Write, session: &Session, proposal: &Proposal) -> Written {
    match proposal.plan() {
        Some(plan) if !plan.is_empty() => {
            let apply = format!("precedent apply{}", session.words);
            writeln!(out, "\nTo repair: {}", paint(BOLD, &apply))
        }
        _ => state(out, proposal),
    }
}

/// Whether all is well, in a sentence; nothing where a refusal or a violation has said it.
pub(super) fn state(out: &mut impl Write, proposal: &Proposal) -> Written {
    if !matches!(proposal.ruling, Ruling::Decided(..)) {
        return Ok(());
    }
    let words = if !proposal.is_in_order() {
        let words = "Not in order, and not something that Precedent may or can change; the findings say why.";
        paint(RED, words)
    } else if standings::any_secret(proposal) {
        paint(GREEN, "In sync: every program gets the secret that it should.")
    } else {
        "There is no copy of a secret here, so nothing can disagree.".to_owned()
    };
    writeln!(out, "\n{words}")
}

/// What a program of others said, line by line.
#[cfg(feature = "workbench")]
pub(crate) fn said(out: &mut impl Write, said: &str) -> Written {
    said.lines().try_for_each(|line| writeln!(out, "{}", harmless(line)))
}

/// A warning of the host itself.
pub(crate) fn warning(out: &mut impl Write, message: &str) -> Written {
    writeln!(out, "{} {}", paint(YELLOW.bold(), "warning:"), harmless(message))
}

/// An error with its causes, each once.
pub(crate) fn in_one_line(error: &anyhow::Error) -> String {
    let mut chain: Vec<String> = error.chain().map(|cause| harmless(&cause.to_string())).collect();
    chain.dedup();
    chain.join(": ")
}

/// An error with its causes, and the line of the manifest it speaks of.
pub(crate) fn error(out: &mut impl Write, error: &anyhow::Error) -> Written {
    writeln!(out, "{} {}", paint(RED.bold(), "error:"), in_one_line(error))?;
    match error.downcast_ref::<Error>() {
        Some(Error::Manifest(error)) => line_of(out, error),
        #[cfg(feature = "workbench")]
        Some(error) => remedies::remedy(out, error),
        _ => Ok(()),
    }
}

/// The line of the manifest that an error speaks of, and the place in it.
fn line_of(out: &mut impl Write, error: &ManifestError) -> Written {
    if let (Some((line, column)), Some(text)) = (error.at, &error.line) {
        let gutter = line.to_string();
        let spaces = " ".repeat(gutter.len());
        writeln!(out, "{spaces} |\n{gutter} | {}", harmless(text))?;
        writeln!(out, "{spaces} | {}{}", " ".repeat(column - 1), paint(RED.bold(), "^"))?;
    }
    Ok(())
}

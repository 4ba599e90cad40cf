//! What a watch tells: one line for each thing, so that it can be read in a log.

use std::io::Write;

use precedent::{
    Proposal, Ruling,
    model::{Finding, Severity, Standing, Verdict},
    plan::drifts,
};

use super::super::session::{Session, now};
use super::{
    time,
    words::{BOLD, CYAN, DIM, GREEN, RED, Written, YELLOW, copy, harmless, paint},
};

/// A line with its time and its deployment.
pub(crate) fn stamped(out: &mut (impl Write + ?Sized), session: &Session, line: &str) -> Written {
    let name = harmless(&session.host.deployment().name);
    writeln!(out, "{} {}: {line}", paint(DIM, &time(now())), paint(BOLD, &name))
}

/// The state of things, in a line; then a line for each program that gets another secret than it
/// should, for what would be written, and for each finding.
pub(crate) fn watched(session: &Session, proposal: &Proposal) -> Vec<String> {
    let snapshot = &proposal.snapshot;
    let mut lines = match &proposal.ruling {
        Ruling::Refused(refusal) => {
            let (code, reason) = (harmless(&refusal.code), harmless(&refusal.reason));
            vec![format!("{} {code}: {reason}", paint(RED, "the policy refuses:"))]
        }
        Ruling::Violated(_, violations) => {
            let title = paint(RED, "the policy's decision breaks the host's rules:");
            vec![format!("{title} {}", harmless(&violations.to_string()))]
        }
        _ if proposal.is_in_order() => vec![paint(GREEN, "in sync")],
        _ if proposal.drifts() => vec![paint(RED, "drift")],
        _ => vec![paint(RED, "not in order")],
    };
    let verdicts = proposal.decision().map(|decision| &decision.verdicts);
    let drifting = verdicts.into_iter().flatten().filter(|verdict| drifts(snapshot, verdict));
    lines.extend(drifting.filter_map(|verdict| drift(proposal, verdict)));
    if let Some(plan) = proposal.plan().filter(|plan| !plan.is_empty()) {
        let count = plan.changes().len();
        let noun = if count == 1 { "copy" } else { "copies" };
        lines
            .push(format!("{count} {noun} to change; to repair: precedent apply{}", session.words));
    }
    let decided = proposal.decision().map(|decision| &decision.findings);
    let findings = snapshot.findings.iter().chain(decided.into_iter().flatten());
    lines.extend(findings.map(finding));
    lines
}

fn drift(proposal: &Proposal, verdict: &Verdict) -> Option<String> {
    let snapshot = &proposal.snapshot;
    let consumer = snapshot.consumers.get(verdict.consumer.index())?;
    let credential = harmless(snapshot.credential(consumer.credential));
    let uses = match verdict.today {
        Standing::Copy(id) => format!("uses {}", copy(snapshot, id)),
        Standing::Unresolved(id) => format!("stops at {}", copy(snapshot, id)),
        Standing::Generated => "makes one up".to_owned(),
        Standing::Invalid => "refuses its configuration".to_owned(),
        _ => "finds none".to_owned(),
    };
    let should = verdict.wanted.map(|id| format!(", should use {}", copy(snapshot, id)));
    let name = paint(BOLD, &harmless(&consumer.name));
    Some(format!("{name}, {credential}: {uses}{}", should.unwrap_or_default()))
}

fn finding(finding: &Finding) -> String {
    let colour = match finding.severity {
        Severity::Error => RED,
        Severity::Warning => YELLOW,
        Severity::Info => CYAN,
    };
    let code = paint(colour, &harmless(&finding.code));
    let remedy = finding.remedy.as_ref().map(|remedy| format!(" → {}", harmless(remedy)));
    format!("{code}: {}{}", harmless(&finding.message), remedy.unwrap_or_default())
}

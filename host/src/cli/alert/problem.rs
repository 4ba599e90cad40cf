//! What is wrong, each thing under a name that stays the same while it lasts.

use precedent::{
    Proposal, Ruling,
    model::{Finding, Severity, Snapshot, Standing, Verdict},
    plan::{Change, Plan, Step, drifts},
};

use super::super::text::{harmless, in_one_line};

/// Something that is wrong.
#[derive(Debug)]
pub(super) struct Problem {
    /// What it is known by from one check to the next. Holds neither a secret nor a fingerprint.
    pub(super) key: String,
    pub(super) severity: Severity,
    /// What it is, in a sentence.
    pub(super) message: String,
}

/// Whether what is not among the problems is over: a policy that refuses says nothing of the rest.
pub(super) fn is_whole(proposal: &Proposal) -> bool {
    matches!(proposal.ruling, Ruling::Decided(..))
}

/// Everything that is wrong. Where `check` says that a deployment is not in order, one of them at least
/// is an error.
pub(super) fn problems(proposal: &Proposal) -> Vec<Problem> {
    let snapshot = &proposal.snapshot;
    let mut problems = Vec::new();
    match &proposal.ruling {
        Ruling::Refused(refusal) => problems.push(Problem {
            key: format!("refused:{}", harmless(&refusal.code)),
            severity: Severity::Error,
            message: with_remedy(
                &format!("the policy refuses ({}): {}", refusal.code, refusal.reason),
                refusal.remedy.as_deref(),
            ),
        }),
        Ruling::Violated(_, violations) => {
            problems.extend(violations.0.iter().map(|violation| Problem {
                key: format!("violation:{}", harmless(&violation.rule)),
                severity: Severity::Error,
                message: harmless(&format!(
                    "the policy's decision breaks the host's rule {}: {}",
                    violation.rule, violation.message
                )),
            }));
        }
        Ruling::Decided(decision, plan) => {
            let drifting = decision.verdicts.iter().filter(|verdict| drifts(snapshot, verdict));
            problems.extend(drifting.filter_map(|verdict| drift(snapshot, verdict)));
            // What drifts is what the changes mend. Without, they are what is wrong.
            if problems.is_empty() {
                problems.extend(plan.changes().iter().map(change));
            }
            problems.extend(decision.findings.iter().filter_map(|one| finding(snapshot, one)));
            problems.extend(alerts(plan));
        }
        _ => {}
    }
    problems.extend(snapshot.findings.iter().filter_map(|one| finding(snapshot, one)));
    problems
}

/// That a check could not be made.
pub(super) fn fault(error: &anyhow::Error) -> Problem {
    Problem {
        key: "fault".to_owned(),
        severity: Severity::Error,
        message: format!("the check could not be made: {}", in_one_line(error)),
    }
}

fn drift(snapshot: &Snapshot, verdict: &Verdict) -> Option<Problem> {
    let consumer = snapshot.consumers.get(verdict.consumer.index())?;
    let (name, credential) = (&consumer.name, snapshot.credential(consumer.credential));
    let uses = match verdict.today {
        Standing::Copy(id) => format!("uses the {credential} at {}", snapshot.label_of(id)),
        Standing::Unresolved(id) => format!(
            "gets no {credential}: at {} is a reference that leads nowhere",
            snapshot.label_of(id)
        ),
        Standing::Generated => format!("makes up a {credential} of its own"),
        Standing::Invalid => format!("gets no {credential}: it cannot use its configuration"),
        _ => format!("finds no {credential}"),
    };
    let wanted =
        verdict.wanted.map(|id| format!("; it should use the one at {}", snapshot.label_of(id)));
    Some(Problem {
        key: harmless(&format!("drift:{name}:{credential}")),
        severity: Severity::Error,
        message: harmless(&format!("{name} {uses}{}", wanted.unwrap_or_default())),
    })
}

fn change(change: &Change) -> Problem {
    Problem {
        key: harmless(&format!("change:{}", change.to)),
        severity: Severity::Error,
        message: harmless(&format!("{} is to change: {}", change.target, change.reason)),
    }
}

/// A finding; none where it is only good to know.
fn finding(snapshot: &Snapshot, finding: &Finding) -> Option<Problem> {
    let names: Vec<String> = finding.locations.iter().map(|id| snapshot.name_of(*id)).collect();
    (finding.severity > Severity::Info).then(|| Problem {
        key: harmless(&format!("finding:{}:{}", finding.code, names.join(","))),
        severity: finding.severity,
        message: with_remedy(&finding.message, finding.remedy.as_deref()),
    })
}

/// What the policy itself wants told.
fn alerts(plan: &Plan) -> impl Iterator<Item = Problem> {
    plan.steps().iter().filter_map(|step| match step {
        Step::Alert { severity, message } if *severity > Severity::Info => Some(Problem {
            key: harmless(&format!("alert:{}", without_numbers(message))),
            severity: *severity,
            message: harmless(message),
        }),
        _ => None,
    })
}

/// What is told in hours that are left is the same an hour later.
fn without_numbers(message: &str) -> String {
    let mut words = String::new();
    for c in message.chars().take(80) {
        if !c.is_ascii_digit() {
            words.push(c);
        } else if !words.ends_with('#') {
            words.push('#');
        }
    }
    words
}

fn with_remedy(message: &str, remedy: Option<&str>) -> String {
    let remedy = remedy.map_or_else(String::new, |remedy| format!(" → {remedy}"));
    harmless(&format!("{message}{remedy}"))
}

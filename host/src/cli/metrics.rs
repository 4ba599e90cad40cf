//! What a check found, as numbers.
//!
//! | module | what |
//! |---|---|
//! | `textfile` | a file for Prometheus' textfile collector |
//! | `otlp` | sent to a collector of OpenTelemetry |

#[cfg(feature = "otlp")]
pub(crate) mod otlp;
pub(crate) mod textfile;

use precedent::{CallState, Impact, Proposal, model::Severity, plan::drifts};

/// Names and values of what a number is of.
type Labels = Vec<(&'static str, String)>;

/// One thing that is measured.
pub(crate) struct Metric {
    /// Its name without the prefix `precedent`.
    name: &'static str,
    help: &'static str,
    numbers: Vec<(Labels, i64)>,
}

/// What is true of a proposal. Names are those of the deployment; no secret and no fingerprint.
fn found(proposal: &Proposal, impact: Option<&Impact>) -> Vec<Metric> {
    let snapshot = &proposal.snapshot;
    let of = |more: &[(&'static str, &str)]| -> Labels {
        let all = [("deployment", snapshot.deployment.as_str())];
        all.iter().chain(more).map(|(name, value)| (*name, (*value).to_owned())).collect()
    };
    let decision = || proposal.decision().into_iter();
    let drift = decision().flat_map(|decision| &decision.verdicts).filter_map(|verdict| {
        let consumer = snapshot.consumers.get(verdict.consumer.index())?;
        let credential = snapshot.credential(consumer.credential);
        let labels = of(&[("consumer", &consumer.name), ("credential", credential)]);
        Some((labels, drifts(snapshot, verdict).into()))
    });
    let decided = decision().flat_map(|decision| &decision.findings);
    let severities: Vec<Severity> =
        snapshot.findings.iter().chain(decided).map(|finding| finding.severity).collect();
    let words =
        [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Info, "info")];
    let findings = words.into_iter().map(|(severity, word)| {
        let count = severities.iter().filter(|found| **found == severity).count();
        (of(&[("severity", word)]), number(count))
    });
    let calls = impact.into_iter().flat_map(|impact| &impact.calls).map(|call| {
        let state = match call.state {
            CallState::Works => 1,
            CallState::Fails => 0,
            _ => -1,
        };
        (of(&[("call", &call.call)]), state)
    });
    let expires = snapshot.locations.iter().filter_map(|location| {
        Some((of(&[("location", &location.name)]), number(location.expires?)))
    });
    vec![
        Metric {
            name: "in_order",
            help: "1 where all copies agree and nothing is found to be wrong",
            numbers: vec![(of(&[]), proposal.is_in_order().into())],
        },
        Metric {
            name: "checked_timestamp_seconds",
            help: "When it was looked at",
            numbers: vec![(of(&[]), number(snapshot.now))],
        },
        Metric {
            name: "drift",
            help: "1 where a program gets another secret than it should",
            numbers: drift.collect(),
        },
        Metric {
            name: "findings",
            help: "What host and policy found, by severity",
            numbers: findings.collect(),
        },
        Metric {
            name: "call",
            help: "1 where a call goes on, 0 where it fails, -1 where that is not known",
            numbers: calls.collect(),
        },
        Metric {
            name: "expires_timestamp_seconds",
            help: "When the secret at a location stops being valid",
            numbers: expires.collect(),
        },
    ]
}

fn number(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}

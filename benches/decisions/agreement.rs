//! Whoever is compared decides the same: else it is not the same work that is measured.

use std::fmt::Debug;

use anyhow::{Result, bail, ensure};
use precedent_bench_extism::request::{Decision, Write};

use crate::{
    contestant::{Contestant, Says},
    request::Asked,
};

/// Requests that chance made, beside the reference request.
const CHANCES: u64 = 200;

/// Has everybody decide on the reference request and on many others. Returns how many there were.
pub(crate) fn on_many(contestants: &[Box<dyn Contestant>]) -> Result<usize> {
    let reference = Asked::of_size(12);
    let decision = on(&reference, contestants)?;
    let counts = (decision.verdicts.len(), decision.actions.len(), decision.findings.len());
    ensure!(
        counts == (5, 9, 1),
        "the reference decision has {counts:?} verdicts, actions, findings"
    );
    for seed in 0..CHANCES {
        on(&Asked::of_chance(seed), contestants)?;
    }
    Ok(1 + usize::try_from(CHANCES)?)
}

/// Has everybody decide on one request, and fails where two do not say the same. Returns the decision.
pub(crate) fn on(asked: &Asked, contestants: &[Box<dyn Contestant>]) -> Result<Decision> {
    let mut first: Option<(&str, Decision)> = None;
    for contestant in contestants {
        let name = contestant.name();
        let decision = sorted(contestant.ready(asked)?.decision()?);
        let Some((known, expected)) = &first else {
            first = Some((name, decision));
            continue;
        };
        let expected = match contestant.says() {
            Says::All => expected.clone(),
            Says::Places => places(expected),
        };
        if decision != expected {
            let places = asked.plain.locations.len();
            let part = difference(&expected, &decision);
            bail!("{known} and {name} do not decide the same on {places} places: {part}");
        }
    }
    first.map(|(_, decision)| decision).ok_or_else(|| anyhow::anyhow!("nobody takes part"))
}

/// The first part in which two decisions differ.
fn difference(one: &Decision, other: &Decision) -> String {
    fn first<T: PartialEq + Debug>(what: &str, one: &[T], other: &[T]) -> Option<String> {
        let longest = one.len().max(other.len());
        let differs = (0..longest).find(|index| one.get(*index) != other.get(*index))?;
        let (one, other) = (one.get(differs), other.get(differs));
        Some(format!("{what} {differs}\n  {one:?}\n  {other:?}"))
    }
    first("verdict", &one.verdicts, &other.verdicts)
        .or_else(|| first("action", &one.actions, &other.actions))
        .or_else(|| first("finding", &one.findings, &other.findings))
        .unwrap_or_default()
}

/// The order of actions and findings says nothing.
fn sorted(mut decision: Decision) -> Decision {
    decision.verdicts.sort_by_key(|verdict| verdict.consumer);
    decision.actions.sort_by_key(|action| action.to);
    decision.findings.sort_by_key(|finding| finding.location);
    decision
}

/// Of a decision which places are to be written.
fn places(decision: &Decision) -> Decision {
    let place = |write: &Write| Write { from: 0, to: write.to, reason: String::new() };
    Decision { actions: decision.actions.iter().map(place).collect(), ..Decision::default() }
}

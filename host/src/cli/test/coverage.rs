//! What the policy can say and do over the states of its deployment, and no case makes it.

use std::collections::{BTreeMap, BTreeSet};

use precedent::prove::{Extent, Reached, States};
use serde_json::{Value, json};

use crate::cli::{progress, subject::Subject};

/// What the policy can say and do, and no case makes it.
pub(crate) struct Coverage(Vec<Part>);

/// One sort of what can be reached.
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) all: BTreeSet<String>,
    pub(crate) missing: BTreeSet<String>,
}

impl Coverage {
    /// Holds what the cases reach against what so many states reach.
    pub(super) fn of(subject: &Subject, most: usize, cases: &Reached) -> Self {
        let mut extent = Extent::default();
        extent.most = most;
        let schema = &subject.policy.about().settings_schema;
        let states = States::of(&subject.deployment, schema, &extent);
        let bar = progress::of(states.covered().states, "states");
        let whole = states.reached(&subject.policy, &|count| bar.inc(count as u64));
        bar.finish_and_clear();
        let part = |name, whole: &BTreeSet<String>, cases: &BTreeSet<String>| Part {
            name,
            all: whole.union(cases).cloned().collect(),
            missing: whole.difference(cases).cloned().collect(),
        };
        Self(vec![
            part("findings and refusals", &whole.findings, &cases.findings),
            part("actions", &whole.actions, &cases.actions),
            part("reasons", &whole.reasons, &cases.reasons),
            part("states of locations", &whole.states, &cases.states),
        ])
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }

    pub(super) fn document(&self) -> Value {
        let part = |part: &Part| {
            let reached = part.all.len() - part.missing.len();
            let key = part.name.replace(' ', "-");
            (key, json!({"all": part.all.len(), "reached": reached, "missing": part.missing}))
        };
        json!(self.0.iter().map(part).collect::<BTreeMap<_, _>>())
    }
}

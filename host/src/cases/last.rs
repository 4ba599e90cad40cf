//! The case before. Recordings make one case for each release, and those differ in an attribute of the
//! deployment alone: what was seen for the one is what is seen for the next, but for that.

use serde_json::{Map, Value};

use super::{Case, CaseDeployment, Staged, expect::Expectations};

/// A case, and what the policy sees of it.
#[derive(Debug)]
pub(super) struct Last {
    case: Case,
    staged: Staged,
}

impl Last {
    pub(super) fn new(case: &Case, staged: Staged) -> Self {
        let case = Case { expect: Expectations::default(), ..case.clone() };
        Self { case, staged }
    }

    pub(super) fn staged(&self) -> &Staged {
        &self.staged
    }

    /// Whether another case differs in nothing but what it expects, and in what it says of the same
    /// attributes: which facts are looked for depends on what attributes there are, and nothing else does.
    pub(super) fn is_like(&self, other: &Case) -> bool {
        // All of a case, so that what is added to it is thought of here.
        let Case {
            name: _,
            deployment,
            settings,
            env,
            files,
            locations,
            facts,
            incoming,
            options,
            expect: _,
            source: _,
        } = &self.case;
        is_same_but_for_values(deployment, &other.deployment)
            && is_written_same(settings, &other.settings)
            && *env == other.env
            && files.len() == other.files.len()
            && files.iter().zip(&other.files).all(|(a, b)| a.0 == b.0 && is_same(a.1, b.1))
            && *locations == other.locations
            && *facts == other.facts
            && *incoming == other.incoming
            && is_written_same(options, &other.options)
    }

    /// Puts what such a case says of the attributes in the place of what this one did.
    pub(super) fn turn_into(&mut self, other: &Case) {
        let Staged { observed, attributes, .. } = &mut self.staged;
        for name in attributes {
            let fact = observed.snapshot.facts.get_mut(name);
            if let (Some(fact), Some(value)) = (fact, other.deployment.attributes.get(name)) {
                fact.value = Some(value.clone());
            }
        }
    }
}

fn is_same_but_for_values(one: &CaseDeployment, other: &CaseDeployment) -> bool {
    let CaseDeployment { preset, phase, now, attributes, manifest } = one;
    *preset == other.preset
        && *phase == other.phase
        && *now == other.now
        && attributes.keys().eq(other.attributes.keys())
        && *manifest == other.manifest
}

/// Whether two values are the same down to the order of their keys: a file is written in that order.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => is_written_same(one, other),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| is_same(a, b))
        }
        _ => one == other,
    }
}

fn is_written_same(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.0 == b.0 && is_same(a.1, b.1))
}

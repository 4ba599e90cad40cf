//! Runs one case after another against one policy.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use serde_json::Value;

use super::{Case, CaseResult, Mismatch, deployments::Deployments, expect::Expectations, state};
use crate::{
    Error,
    artifact::PolicyRef,
    check::check,
    config::{Deployment, Grants, PlaceSpec},
    decide::{Answer, Policy},
    model::{
        Snapshot,
        named::{self, Words},
    },
    observe::{Memory, Observed, observe},
    prove::examine,
    secret::Key,
};

/// Runs cases against one policy. Keeps the deployments that it makes, for most cases share one.
#[derive(Debug)]
pub struct Runner<'p> {
    policy: &'p Policy,
    key: Key,
    deployments: Deployments,
    /// The settings that the policy was last asked about, and what it said.
    settings: Option<(Value, Result<(), String>)>,
}

/// A case as the policy sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Staged {
    /// What was seen, and the secrets.
    pub observed: Observed,
    grants: Arc<Grants>,
}

/// What comes out for a case.
#[derive(Debug)]
#[non_exhaustive]
pub struct Recorded {
    /// What the policy is shown.
    pub snapshot: Snapshot,
    /// What it answers.
    pub answer: Answer,
    pub(super) expect: Expectations,
}

impl Recorded {
    /// What came out, by names.
    #[must_use]
    pub fn parts(&self, words: Words) -> serde_json::Map<String, Value> {
        named::parts(&self.snapshot, &self.answer, words)
    }
}

/// What became of a case, and what it became of.
pub(super) struct Attempt {
    pub(super) result: CaseResult,
    pub(super) snapshot: Snapshot,
    pub(super) answer: Option<Answer>,
    pub(super) recorded: Option<Expectations>,
}

impl<'p> Runner<'p> {
    /// A runner for a policy. The reference says which of a preset's grants hold.
    #[must_use]
    pub fn new(policy: &'p Policy, reference: PolicyRef) -> Self {
        // Test values need no secrecy; a fixed key makes runs repeat.
        let key = Key::new([0; 32]);
        Self { policy, key, deployments: Deployments::new(reference), settings: None }
    }

    /// Takes a deployment for the cases that describe none of their own.
    #[must_use]
    pub fn on(mut self, base: Deployment) -> Self {
        self.deployments.on(base);
        self
    }

    /// Makes the snapshot of a case.
    ///
    /// # Errors
    ///
    /// Where the case's manifest cannot be used.
    pub fn stage(&mut self, case: &Case) -> Result<Staged, Error> {
        let (deployment, grants) = self.deployments.of(case)?;
        let arguments = Value::Object(case.options.clone());
        let facts = option_facts(deployment, &arguments);
        deployment.attributes.extend(facts);
        let mut world = Memory { variables: case.env.clone(), arguments, ..Memory::default() };
        for (path, content) in &case.files {
            let path = match path.strip_prefix("~/") {
                Some(rest) => format!("{}/{rest}", world.home()),
                None => path.clone(),
            };
            let text = match content {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            world.files.insert(PathBuf::from(path), text);
        }
        let (phase, now) = (case.deployment.phase, case.deployment.now);
        let mut observed = observe(deployment, &world, &self.key, phase, now);
        let snapshot = &mut observed.snapshot;
        state::put(snapshot, &case.locations, &case.facts, &self.key)
            .map_err(|message| case.error(message))?;
        for (credential, secret) in &case.incoming {
            if !observed.bring(&self.key, credential, secret.clone().into()) {
                let known = observed.snapshot.credentials.join("`, `");
                let message =
                    format!("unknown credential `{credential}`, expected one of `{known}`");
                return Err(case.error(message).into());
            }
        }
        Ok(Staged { observed, grants })
    }

    /// Runs a case through the component.
    ///
    /// # Errors
    ///
    /// Where the case's manifest cannot be used. What the policy does is in the result.
    pub fn run(&mut self, case: &Case) -> Result<CaseResult, Error> {
        self.attempt(case).map(|attempt| attempt.result)
    }

    /// What comes out for a case, for it to expect.
    ///
    /// # Errors
    ///
    /// Where the case cannot be used, or the policy cannot answer.
    pub fn recorded(&mut self, case: &Case) -> Result<Recorded, Error> {
        let staged = self.stage(case)?;
        let snapshot = staged.observed.snapshot;
        let answer = self.policy.decide(&snapshot)?;
        let decision = answer.as_ref().ok().cloned();
        let grants = &staged.grants;
        let broken = decision.and_then(|decision| check(&snapshot, decision, grants).err());
        let expect = Expectations::of(&snapshot, &answer, broken.as_ref());
        Ok(Recorded { snapshot, answer, expect })
    }

    pub(super) fn attempt(&mut self, case: &Case) -> Result<Attempt, Error> {
        let staged = self.stage(case)?;
        let possible = case.expect.possible(&staged.observed.snapshot);
        possible.map_err(|message| case.error(message))?;
        let (policy, grants) = (self.policy, Arc::clone(&staged.grants));
        let snapshot = &staged.observed.snapshot;
        let asked = self
            .validated(&snapshot.settings)
            .and_then(|()| policy.decide(snapshot).map_err(|error| error.to_string()));
        let answer = asked.as_ref().ok().cloned();
        let mut result = self.judge(case, &staged, |_| asked);
        if case.expect.proven {
            let failure = examine(policy, snapshot, &grants).failure;
            result.mismatches.extend(failure.map(|failure| {
                let what = failure.property.in_words();
                Mismatch::new("so", what, &failure.message)
            }));
        }
        let mut recorded = None;
        if answer.is_some() && case.expect.record {
            recorded = Some(self.recorded(case)?.expect);
            result.mismatches = vec![Mismatch::new(
                "a recording",
                "what the policy says",
                "none yet: run again with --update",
            )];
        }
        result.records = recorded.is_some();
        Ok(Attempt { result, snapshot: staged.observed.snapshot, answer, recorded })
    }

    /// What the policy says of settings; most cases have the same as the one before.
    fn validated(&mut self, settings: &Value) -> Result<(), String> {
        if let Some((known, said)) = &self.settings
            && known == settings
        {
            return said.clone();
        }
        let said = self.policy.validate_settings(settings).map_err(|error| error.to_string());
        self.settings = Some((settings.clone(), said.clone()));
        said
    }

    /// Holds the answer to a staged case against what is expected.
    pub fn judge(
        &self,
        case: &Case,
        staged: &Staged,
        decide: impl FnOnce(&Snapshot) -> Result<Answer, String>,
    ) -> CaseResult {
        let snapshot = &staged.observed.snapshot;
        let mismatches = match decide(snapshot) {
            Err(error) => vec![Mismatch::new("a decision", "the policy", &error)],
            Ok(answer) => {
                let violations = match &answer {
                    Ok(decision) => check(snapshot, decision.clone(), &staged.grants).err(),
                    Err(_) => None,
                };
                case.expect.compare(snapshot, &answer, violations.as_ref(), &self.key)
            }
        };
        let (name, source) = (case.name.clone(), case.source.clone());
        CaseResult { name, source, records: false, mismatches }
    }
}

/// What is told of the options as facts: every scalar, but for those at which a location stands, for
/// they are secrets.
fn option_facts(deployment: &Deployment, options: &Value) -> BTreeMap<String, String> {
    let is_secret = |pointer: &str| {
        deployment.locations.iter().any(|location| match &location.place {
            PlaceSpec::Argument(pointers) => pointers.iter().any(|p| p.to_string() == pointer),
            _ => false,
        })
    };
    let mut facts = BTreeMap::new();
    if options.as_object().is_some_and(serde_json::Map::is_empty) {
        return facts;
    }
    let mut left = vec![("option".to_owned(), String::new(), options)];
    while let Some((name, pointer, value)) = left.pop() {
        let text = match value {
            Value::Object(map) => {
                left.extend(map.iter().map(|(key, value)| {
                    (format!("{name}.{key}"), format!("{pointer}/{key}"), value)
                }));
                continue;
            }
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !is_secret(&pointer) {
            facts.insert(name, text);
        }
    }
    facts
}

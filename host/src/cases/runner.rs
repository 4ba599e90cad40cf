//! Runs one case after another against one policy.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use serde_json::Value;

use super::{
    Case, CaseResult, Mismatch, deployments::Deployments, expect::Expectations, last::Last, state,
};
use crate::{
    Error,
    artifact::PolicyRef,
    check::broken,
    config::{Deployment, Grants, PlaceSpec},
    decide::{Answer, Policy},
    model::{
        Snapshot,
        named::{self, Words},
    },
    observe::{Memory, Observed, observe},
    prove::{Reached, examine},
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
    /// The case before.
    last: Option<Last>,
}

/// A case as the policy sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Staged {
    /// What was seen, and the secrets.
    pub observed: Observed,
    grants: Arc<Grants>,
    /// The attributes of the case's own that are facts as the case says them.
    pub(super) attributes: Vec<String>,
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

/// What became of a case.
pub(super) struct Attempt {
    pub(super) result: CaseResult,
    pub(super) recorded: Option<Expectations>,
}

impl<'p> Runner<'p> {
    /// A runner for a policy. The reference says which of a preset's grants hold.
    #[must_use]
    pub fn new(policy: &'p Policy, reference: PolicyRef) -> Self {
        // Test values need no secrecy; a fixed key makes runs repeat.
        let key = Key::new([0; 32]);
        Self { policy, key, deployments: Deployments::new(reference), settings: None, last: None }
    }

    /// Takes a deployment for the cases that describe none of their own.
    #[must_use]
    pub fn on(mut self, base: Deployment) -> Self {
        self.deployments.on(base);
        self.last = None;
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
        let is_said_elsewhere =
            |name: &&String| facts.contains_key(*name) || case.facts.contains_key(*name);
        let attributes = case.deployment.attributes.keys();
        let attributes = attributes.filter(|name| !is_said_elsewhere(name)).cloned().collect();
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
        Ok(Staged { observed, grants, attributes })
    }

    /// Runs a case through the component.
    ///
    /// # Errors
    ///
    /// Where the case's manifest cannot be used. What the policy does is in the result.
    pub fn run(&mut self, case: &Case) -> Result<CaseResult, Error> {
        self.attempt(case, None).map(|attempt| attempt.result)
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
        let decision = answer.as_ref().ok();
        let broken = decision.and_then(|decision| broken(&snapshot, decision, &staged.grants));
        let expect = Expectations::of(&snapshot, &answer, broken.as_ref());
        Ok(Recorded { snapshot, answer, expect })
    }

    /// The case before, turned into this one if it is like it; or else this one, staged.
    fn last(&mut self, case: &Case) -> Result<Last, Error> {
        match self.last.take().filter(|last| last.is_like(case)) {
            Some(mut last) => {
                last.turn_into(case);
                Ok(last)
            }
            None => Ok(Last::new(case, self.stage(case)?)),
        }
    }

    pub(super) fn attempt(
        &mut self,
        case: &Case,
        reached: Option<&mut Reached>,
    ) -> Result<Attempt, Error> {
        let last = self.last(case)?;
        let attempt = self.attempt_staged(case, last.staged(), reached);
        self.last = Some(last);
        attempt
    }

    fn attempt_staged(
        &mut self,
        case: &Case,
        staged: &Staged,
        reached: Option<&mut Reached>,
    ) -> Result<Attempt, Error> {
        let snapshot = &staged.observed.snapshot;
        let possible = case.expect.possible(snapshot);
        possible.map_err(|message| case.error(message))?;
        let policy = self.policy;
        let asked = self
            .validated(&snapshot.settings)
            .and_then(|()| policy.decide(snapshot).map_err(|error| error.to_string()));
        let mut result = self.judged(case, staged, &asked);
        if case.expect.proven {
            let failure = examine(policy, snapshot, &staged.grants).failure;
            result.mismatches.extend(failure.map(|failure| {
                let what = failure.property.in_words();
                Mismatch::new("so", what, &failure.message)
            }));
        }
        let mut recorded = None;
        if asked.is_ok() && case.expect.record {
            recorded = Some(self.recorded(case)?.expect);
            result.mismatches = vec![Mismatch::new(
                "a recording",
                "what the policy says",
                "none yet: run again with --update",
            )];
        }
        result.records = recorded.is_some();
        if let (Some(reached), Ok(answer)) = (reached, &asked) {
            reached.add(snapshot, answer);
        }
        Ok(Attempt { result, recorded })
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
        self.judged(case, staged, &decide(&staged.observed.snapshot))
    }

    fn judged(&self, case: &Case, staged: &Staged, asked: &Result<Answer, String>) -> CaseResult {
        let snapshot = &staged.observed.snapshot;
        let mismatches = match asked {
            Err(error) => vec![Mismatch::new("a decision", "the policy", error)],
            Ok(answer) => {
                let decision = answer.as_ref().ok();
                let broken = decision.and_then(|one| broken(snapshot, one, &staged.grants));
                case.expect.compare(snapshot, answer, broken.as_ref(), &self.key)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        artifact,
        cases::parse,
        decide::{Engine, Limits},
    };

    /// How many of the cases were seen as the case before was, each held against what is seen for it alone.
    fn turned(name: &str, text: &str) -> Result<(usize, usize), Box<dyn std::error::Error>> {
        let (engine, limits) = (Engine::new()?, Limits::default());
        let reference = PolicyRef::Shipped("helm".to_owned());
        let policy = artifact::load(&engine, &reference, None, limits, None)?;
        let mut runner = Runner::new(&policy, reference);
        let (cases, mut turned) = (parse(name.as_ref(), text)?, 0);
        for case in &cases {
            turned += usize::from(runner.last.as_ref().is_some_and(|last| last.is_like(case)));
            let last = runner.last(case)?;
            let alone = runner.stage(case)?;
            assert_eq!(last.staged().observed.snapshot, alone.observed.snapshot, "{}", case.name);
            assert_eq!(last.staged().attributes, alone.attributes, "{}", case.name);
            runner.last = Some(last);
        }
        Ok((cases.len(), turned))
    }

    #[test]
    fn what_is_seen_for_a_release_is_what_was_seen_for_the_one_before()
    -> Result<(), Box<dyn std::error::Error>> {
        let matrix = include_str!("../../../tests/corpus/precedence-matrix.jsonl");
        assert_eq!(turned("precedence-matrix.jsonl", matrix)?, (7595, 6510));
        Ok(())
    }

    #[test]
    fn a_case_that_differs_in_more_than_values_of_attributes_is_seen_anew()
    -> Result<(), Box<dyn std::error::Error>> {
        let of = |attributes: &str, more: &str| {
            format!(
                r#"{{"deployment": {{"attributes": {{{attributes}}}}}, {more} "expect": {{}}}}"#
            )
        };
        let file = |text: &str| format!(r#""files": {{"~/.openclaw/openclaw.json": {text}}},"#);
        let said = r#""facts": {"gateway.mode": null}, "options": {"mode": "local", "n": 1},"#;
        let two = |mode: &str| {
            format!(
                r#""option.mode": "{mode}", "gateway.mode": "{mode}", "openclaw-version": "{mode}""#
            )
        };
        let cases = [
            (of("", &file(r#"{"gateway": {"mode": "local", "bind": "lan"}}"#)), false),
            (of("", &file(r#"{"gateway": {"mode": "local", "bind": "lan"}}"#)), true),
            // What is written in another order is another file.
            (of("", &file(r#"{"gateway": {"bind": "lan", "mode": "local"}}"#)), false),
            // An attribute more is a fact that is not looked for.
            (of(r#""gateway.mode": "x""#, &file(r#"{"gateway": {"mode": "local"}}"#)), false),
            (of(r#""gateway.mode": "y""#, &file(r#"{"gateway": {"mode": "local"}}"#)), true),
            (of("", &file(r#"{"gateway": {"mode": "local"}}"#)), false),
            // What options and facts say wins over what attributes do.
            (of(&two("one"), said), false),
            (of(&two("two"), said), true),
            (of(&two("two"), &said.replace("local", "remote")), false),
            (of(&two("two"), &said.replace("null", "\"local\"")), false),
            (of("", r#""env": {"OPENCLAW_GATEWAY_TOKEN": "canary-1"},"#), false),
            (of("", r#""env": {"OPENCLAW_GATEWAY_TOKEN": "canary-2"},"#), false),
            (of("", r#""incoming": {"gateway-token": "canary-3"},"#), false),
            (of("", r#""locations": {"config.auth-token": "canary-4"},"#), false),
            (of("", r#""settings": {"persist": "both"},"#), false),
        ];
        let text: Vec<&str> = cases.iter().map(|case| case.0.as_str()).collect();
        let like = cases.iter().filter(|case| case.1).count();
        assert_eq!(turned("cases.jsonl", &text.join("\n"))?, (cases.len(), like));
        Ok(())
    }
}

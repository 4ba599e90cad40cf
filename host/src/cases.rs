//! Policy cases: what a policy sees, in words that a person writes, and what is expected of it.
//!
//! A case holds its secrets in clear, for they are test values. It may state any part of `expect`;
//! what it leaves out is not asserted.

mod expect;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use expect::Mismatch;

use crate::{
    Error,
    artifact::PolicyRef,
    check::check,
    config::{Deployment, Manifest},
    decide::{Answer, Policy},
    model::{Phase, Snapshot},
    observe::{Memory, Observed, observe},
    secret::Key,
};

/// One case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// A sentence that says what it shows.
    #[serde(default)]
    pub name: String,
    /// The deployment.
    #[serde(default)]
    deployment: CaseDeployment,
    /// The policy's parameters.
    #[serde(default)]
    settings: serde_json::Map<String, serde_json::Value>,
    /// Variables.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Files by path: an object is written as JSON, a string as it is.
    #[serde(default)]
    files: BTreeMap<String, serde_json::Value>,
    /// What the consumer is told by its caller; the policy sees each as a fact `option.NAME`.
    #[serde(default)]
    options: BTreeMap<String, serde_json::Value>,
    /// What is expected.
    expect: expect::Expectations,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct CaseDeployment {
    preset: String,
    phase: Phase,
    now: u64,
    attributes: BTreeMap<String, String>,
    /// More of a manifest, as TOML: consumers and locations of one's own, grants.
    manifest: String,
}

impl Default for CaseDeployment {
    fn default() -> Self {
        Self {
            preset: "openclaw".to_owned(),
            phase: Phase::Check,
            now: 0,
            attributes: BTreeMap::new(),
            manifest: String::new(),
        }
    }
}

/// A file of cases that cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {message}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct CaseError {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
}

/// What became of a case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseResult {
    /// Name of the case.
    pub name: String,
    /// Where it differs; empty where it passed.
    pub mismatches: Vec<Mismatch>,
}

/// Reads the cases of a file's text: one document, or one a line in `.jsonl`.
///
/// # Errors
///
/// The first thing that is wrong, and where.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Case>, CaseError> {
    let named = |mut case: Case, fallback: String| {
        if case.name.is_empty() {
            case.name = fallback;
        }
        case
    };
    let error = |line: usize, error: &serde_json::Error| CaseError {
        path: path.to_owned(),
        line: Some(line),
        message: error.to_string(),
    };
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        return (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty())
            .map(|(number, line)| {
                serde_json::from_str(line)
                    .map(|case| named(case, format!("{stem}:{number}")))
                    .map_err(|e| error(number, &e))
            })
            .collect();
    }
    match serde_json::from_str(text) {
        Ok(case) => Ok(vec![named(case, stem)]),
        Err(e) => Err(error(e.line(), &e)),
    }
}

/// Runs cases against one policy. Keeps the deployments that it makes, for most cases share one.
#[derive(Debug)]
pub struct Runner<'p> {
    policy: &'p Policy,
    reference: PolicyRef,
    key: Key,
    deployments: HashMap<(String, String), Deployment>,
}

/// A case as the policy sees it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Staged {
    /// What was seen, and the secrets.
    pub observed: Observed,
    deployment: Deployment,
}

impl<'p> Runner<'p> {
    /// A runner for a policy. The reference says which of a preset's grants hold.
    #[must_use]
    pub fn new(policy: &'p Policy, reference: PolicyRef) -> Self {
        // Test values need no secrecy; a fixed key makes runs repeat.
        Self { policy, reference, key: Key::new([0; 32]), deployments: HashMap::new() }
    }

    /// Makes the snapshot of a case.
    ///
    /// # Errors
    ///
    /// Where the case's manifest cannot be used.
    pub fn stage(&mut self, case: &Case) -> Result<Staged, Error> {
        let mut deployment = self.deployment(case)?;
        deployment.settings = serde_json::Value::Object(case.settings.clone());
        deployment.attributes.extend(case.deployment.attributes.clone());
        for (name, value) in &case.options {
            let value = match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            deployment.attributes.insert(format!("option.{name}"), value);
        }
        let mut world = Memory { variables: case.env.clone(), ..Memory::default() };
        for (path, content) in &case.files {
            let path = match path.strip_prefix("~/") {
                Some(rest) => format!("{}/{rest}", world.home()),
                None => path.clone(),
            };
            let text = match content {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            world.files.insert(PathBuf::from(path), text);
        }
        let (phase, now) = (case.deployment.phase, case.deployment.now);
        let observed = observe(&deployment, &world, &self.key, phase, now);
        Ok(Staged { observed, deployment })
    }

    fn deployment(&mut self, case: &Case) -> Result<Deployment, Error> {
        let spec = &case.deployment;
        let key = (spec.preset.clone(), spec.manifest.clone());
        if let Some(known) = self.deployments.get(&key) {
            return Ok(known.clone());
        }
        let preset = serde_json::Value::from(spec.preset.as_str());
        let text = format!("deployment.preset = {preset}\n{}", spec.manifest);
        let path = PathBuf::from(format!("manifest of `{}`", case.name));
        let manifest = Manifest::parse(&path, &text)?;
        let made = Deployment::new(&path, &text, &manifest, Some(self.reference.clone()))?;
        self.deployments.insert(key, made.clone());
        Ok(made)
    }

    /// Runs a case through the component.
    ///
    /// # Errors
    ///
    /// Where the case's manifest cannot be used. What the policy does is in the result.
    pub fn run(&mut self, case: &Case) -> Result<CaseResult, Error> {
        let staged = self.stage(case)?;
        let policy = self.policy;
        Ok(self.judge(case, &staged, |snapshot| {
            policy
                .validate_settings(&snapshot.settings)
                .and_then(|()| policy.decide(snapshot))
                .map_err(|error| error.to_string())
        }))
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
                    Ok(decision) => {
                        check(snapshot, decision.clone(), &staged.deployment.grants).err()
                    }
                    Err(_) => None,
                };
                case.expect.compare(snapshot, &answer, violations.as_ref(), &self.key)
            }
        };
        CaseResult { name: case.name.clone(), mismatches }
    }
}

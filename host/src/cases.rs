//! Policy cases: what a policy sees, in words that a person writes, and what is expected of it.
//!
//! A case holds its secrets in clear, for they are test values. It may state any part of `expect`;
//! what it leaves out is not asserted.

mod expect;
mod recorded;

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
    config::{Deployment, Manifest, PlaceSpec},
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
    /// New secrets by credential, as `precedent rotate` brings them.
    #[serde(default)]
    incoming: BTreeMap<String, String>,
    /// What the consumer is told by its caller. The policy sees each as a fact `option.NAME`, below
    /// an object `option.NAME.KEY`; but a secret is at a location, and no fact.
    #[serde(default)]
    options: serde_json::Map<String, serde_json::Value>,
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

/// What the text of a file comes to.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Read {
    /// The cases.
    pub cases: Vec<Case>,
    /// Recordings that say nothing of the credentials.
    pub left_out: Vec<LeftOut>,
}

/// A recording that is no case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOut {
    /// What it would be called.
    pub name: String,
    /// Why it is none.
    pub why: String,
}

/// Reads the cases of a file's text: one document, or one a line in `.jsonl`. Recordings of
/// OpenClaw's own resolvers turn into cases here, one for each release.
///
/// # Errors
///
/// The first thing that is wrong, and where.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Case>, CaseError> {
    read(path, text).map(|read| read.cases)
}

/// Reads the cases of a file's text, and tells of the recordings that turn into none.
///
/// # Errors
///
/// The first thing that is wrong, and where.
pub fn read(path: &Path, text: &str) -> Result<Read, CaseError> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut read = Read::default();
    if path.extension().is_some_and(|extension| extension == "jsonl") {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        for (number, line) in lines {
            let at = |message| CaseError { path: path.to_owned(), line: Some(number), message };
            read.add(line, format!("{stem}:{number}")).map_err(|(_, message)| at(message))?;
        }
    } else {
        let at = |(line, message)| CaseError { path: path.to_owned(), line: Some(line), message };
        read.add(text, stem).map_err(at)?;
    }
    Ok(read)
}

impl Read {
    /// Adds what one document holds; its errors have a line of their own.
    fn add(&mut self, text: &str, fallback: String) -> Result<(), (usize, String)> {
        let error = |error: serde_json::Error| (error.line(), error.to_string());
        let document: serde_json::Value = serde_json::from_str(text).map_err(error)?;
        if recorded::is_recorded(&document) {
            return self.add_recorded(&document).map_err(|message| (1, message));
        }
        if let Some(all) = document.get("cases").and_then(|cases| cases.as_array()) {
            return all.iter().try_for_each(|one| {
                self.add_recorded(one).map_err(|message| (line_of(one, text), message))
            });
        }
        let mut case: Case = serde_json::from_str(text).map_err(error)?;
        if case.name.is_empty() {
            case.name = fallback;
        }
        self.cases.push(case);
        Ok(())
    }

    fn add_recorded(&mut self, recorded: &serde_json::Value) -> Result<(), String> {
        let (cases, left_out) = recorded::read(recorded)?;
        self.cases.extend(cases);
        self.left_out.extend(left_out);
        Ok(())
    }
}

/// The line on which a recording's name stands.
fn line_of(recorded: &serde_json::Value, text: &str) -> usize {
    let id = recorded.get("id").map(ToString::to_string).unwrap_or_default();
    let before = text.find(&id).and_then(|at| text.get(..at)).unwrap_or_default();
    before.matches('\n').count() + 1
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
        let arguments = serde_json::Value::Object(case.options.clone());
        let facts = option_facts(&deployment, &arguments);
        deployment.attributes.extend(facts);
        let mut world = Memory { variables: case.env.clone(), arguments, ..Memory::default() };
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
        let mut observed = observe(&deployment, &world, &self.key, phase, now);
        for (credential, secret) in &case.incoming {
            observed.bring(&self.key, credential, secret.clone().into());
        }
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

/// What is told of the options as facts: every scalar, but for those at which a location stands, for
/// they are secrets.
fn option_facts(deployment: &Deployment, options: &serde_json::Value) -> BTreeMap<String, String> {
    let is_secret = |pointer: &str| {
        deployment.locations.iter().any(|location| match &location.place {
            PlaceSpec::Argument(pointers) => pointers.iter().any(|p| p.to_string() == pointer),
            _ => false,
        })
    };
    let mut facts = BTreeMap::new();
    let mut left = vec![("option".to_owned(), String::new(), options)];
    while let Some((name, pointer, value)) = left.pop() {
        let text = match value {
            serde_json::Value::Object(map) => {
                left.extend(map.iter().map(|(key, value)| {
                    (format!("{name}.{key}"), format!("{pointer}/{key}"), value)
                }));
                continue;
            }
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if !is_secret(&pointer) {
            facts.insert(name, text);
        }
    }
    facts
}

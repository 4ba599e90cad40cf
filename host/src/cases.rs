//! Policy cases: what a policy sees, in words that a person writes, and what is expected of it.
//!
//! A case holds its secrets in clear, for they are test values. It may state any part of `expect`;
//! what it leaves out is not asserted.
//!
//! | module | what |
//! |---|---|
//! | `read` | the cases of a file's text |
//! | `recorded` | recordings of OpenClaw's own resolvers, as cases |
//! | `state` | what a case says of locations directly |
//! | `expect` | what a case expects, and where the answer differs |
//! | `deployments` | the deployments of cases, each made once |
//! | `runner` | runs one case after another |
//! | `last` | what was seen for the case before, for the next that is like it |
//! | `run` | runs many at once |
//! | `record` | writes what came out into the text of a case |
//! | `capture` | a case of an installation, with stand-ins for its secrets |

mod capture;
mod deployments;
mod expect;
mod last;
mod read;
mod record;
mod recorded;
mod run;
mod runner;
pub(crate) mod state;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use capture::capture;
pub(crate) use expect::Expectations;
pub use expect::Mismatch;
pub use read::{LeftOut, Read, parse, read};
pub use record::record;
pub use run::{Ran, Recording, run_all};
pub use runner::{Recorded, Runner, Staged};

use crate::{config::Deployment, model::Phase};

/// One case.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Case {
    /// A sentence that says what it shows.
    #[serde(default)]
    pub name: String,
    /// The deployment.
    #[serde(default)]
    pub(crate) deployment: CaseDeployment,
    /// The policy's parameters.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub(crate) settings: serde_json::Map<String, serde_json::Value>,
    /// Variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) env: BTreeMap<String, String>,
    /// Files by path: an object is written as JSON, a string as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) files: BTreeMap<String, serde_json::Value>,
    /// What is at locations, in the place of what variables and files come to: a secret, null for
    /// nothing, or an object that says more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) locations: BTreeMap<String, state::State>,
    /// What is known beside the copies, in the place of what files come to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) facts: BTreeMap<String, Option<String>>,
    /// New secrets by credential, as `precedent rotate` brings them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) incoming: BTreeMap<String, String>,
    /// What the consumer is told by its caller. The policy sees each as a fact `option.NAME`, below
    /// an object `option.NAME.KEY`; but a secret is at a location, and no fact.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub(crate) options: serde_json::Map<String, serde_json::Value>,
    /// What is expected; `"record"` asks for what comes out to be written here.
    #[serde(deserialize_with = "expect::read")]
    pub(crate) expect: Expectations,
    /// Where it is written.
    #[serde(skip)]
    pub source: Option<Source>,
}

/// Where a case is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1, where a file holds a case a line.
    pub line: Option<usize>,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct CaseDeployment {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) preset: Option<String>,
    pub(crate) phase: Phase,
    pub(crate) now: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) attributes: BTreeMap<String, String>,
    /// More of a manifest, as TOML: consumers and locations of one's own, grants.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) manifest: String,
}

/// The preset of a case that names none, where nothing else says what its deployment is.
const PRESET: &str = "openclaw";

impl CaseDeployment {
    /// Whether the case leaves it to somebody else what the deployment is, or names the same preset.
    fn is_on(&self, base: &Deployment) -> bool {
        self.manifest.is_empty() && self.adds_to(base)
    }

    /// The same where it says more.
    fn adds_to(&self, base: &Deployment) -> bool {
        self.preset.is_none() || self.preset == base.preset
    }
}

impl Default for CaseDeployment {
    fn default() -> Self {
        Self {
            preset: None,
            phase: Phase::Check,
            now: 0,
            attributes: BTreeMap::new(),
            manifest: String::new(),
        }
    }
}

impl Case {
    /// Whether it expects what `precedent policy prove` shows.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.expect.proven
    }

    /// The facts that it states, by name.
    pub fn facts(&self) -> impl Iterator<Item = &str> {
        self.facts.keys().map(String::as_str)
    }

    /// The same case without a fact.
    #[must_use]
    pub fn without_fact(&self, name: &str) -> Self {
        let mut case = self.clone();
        case.facts.remove(name);
        case
    }

    /// Expects what came out.
    pub fn expect_of(&mut self, recorded: &Recorded) {
        self.expect = recorded.expect.clone();
    }

    fn error(&self, message: String) -> CaseError {
        match &self.source {
            Some(source) => CaseError::new(&source.path, source.line, message),
            None => CaseError::new(Path::new(&format!("`{}`", self.name)), None, message),
        }
    }

    /// The same case with nothing expected, for somebody to say what is.
    #[must_use]
    pub fn without_expectations(mut self) -> Self {
        self.expect = Expectations::default();
        self
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

impl CaseError {
    /// What is wrong with a file, and on which line.
    #[must_use]
    pub fn new(path: &Path, line: Option<usize>, message: String) -> Self {
        Self { path: path.to_owned(), line, message }
    }
}

/// What became of a case.
#[derive(Debug, Clone, Serialize)]
pub struct CaseResult {
    /// Name of the case.
    pub name: String,
    /// Where it is written.
    pub source: Option<Source>,
    /// Whether it asks for what comes out to be recorded.
    pub records: bool,
    /// Where it differs; empty where it passed.
    pub mismatches: Vec<Mismatch>,
}

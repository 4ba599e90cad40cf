//! What a deployment declares, checked and with every name looked up.

use std::collections::{BTreeMap, BTreeSet};

use super::{CommandSpec, PathTemplate, ReferenceForm, Scope, Syntax, Trim};
use crate::model::{CredentialId, Pointer};

#[derive(Debug, Clone)]
pub(crate) struct CredentialSpec {
    pub(crate) name: String,
    pub(crate) placeholders: Vec<String>,
    pub(crate) trim: Trim,
}

/// A file that holds copies.
#[derive(Debug, Clone)]
pub struct DocumentSpec {
    /// What locations name it by.
    pub name: String,
    /// Where it is.
    pub path: PathTemplate,
    /// What it is written in.
    pub syntax: Syntax,
    /// The forms of reference that its readers know.
    pub references: Vec<ReferenceForm>,
    /// The key that says that an object goes on in other files.
    pub include_key: Option<String>,
    /// Whether it is nothing to speak of where it does not exist.
    pub optional: bool,
    /// Where in it its readers find more variables.
    pub variables: Vec<Pointer>,
    /// Where in it it says how references are followed.
    pub providers: Option<Pointer>,
    /// The units, by their positions, in whose environment its main reader runs.
    pub services: Vec<usize>,
    /// Of a unit: where its drop-ins may be, most important first.
    pub drop_ins: Vec<PathTemplate>,
    /// Of a unit: whose it is.
    pub scope: Scope,
    /// What its path ends in with the file that its gateway takes for a lock on it.
    pub lock_suffix: Option<String>,
}

/// Where a location is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaceSpec {
    /// A variable.
    Variable(String),
    /// What a program is handed by whoever starts it: the pointers into a case's `options`. On a
    /// machine nobody can see it, and it is absent.
    Argument(Vec<Pointer>),
    /// A pointer into a document, by its position in [`Deployment::documents`].
    Pointer(usize, Pointer),
    /// A whole file.
    File(PathTemplate),
    /// What a program prints.
    Command(Box<CommandSpec>),
}

/// A place that can hold a copy.
#[derive(Debug, Clone)]
pub struct LocationSpec {
    /// Stable name.
    pub name: String,
    /// The credential that it can hold.
    pub credential: CredentialId,
    /// Where it is.
    pub place: PlaceSpec,
    /// The place in the operator's words.
    pub label: String,
    /// The machine or platform it is on; this one where nobody says.
    pub node: Option<String>,
    /// More about it, for the policy.
    pub attributes: BTreeMap<String, String>,
}

/// A program and a credential that it reads.
#[derive(Debug, Clone)]
pub struct ConsumerSpec {
    /// Name of the program.
    pub name: String,
    /// The credential.
    pub credential: CredentialId,
    /// The machine or platform it runs on; this one where nobody says.
    pub node: Option<String>,
    /// More about it, for the policy.
    pub attributes: BTreeMap<String, String>,
}

/// Something that is done with credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallSpec {
    /// What people call it.
    pub name: String,
    /// The credentials that it needs.
    pub needs: Vec<CredentialId>,
    /// The programs that it is done by; empty for all that read the credentials.
    pub by: Vec<String>,
}

/// Where a fact comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FactSource {
    /// A variable.
    Variable(String),
    /// A pointer into a document, by its position in [`Deployment::documents`].
    Pointer(usize, Pointer),
    /// The path of a document, by its position.
    Path(usize),
    /// Files that exist; with a pointer, what stands there in each.
    Files(Vec<String>, Option<Pointer>),
    /// The version of an npm package that a unit starts.
    StartedPackage(String),
    /// The version of an npm package to which a program of its name belongs.
    Package(String),
    /// What a program says to `--version`.
    VersionOf(String),
}

/// What the policy may know.
#[derive(Debug, Clone)]
pub struct FactSpec {
    /// What the policy knows it by.
    pub name: String,
    /// Where it comes from.
    pub source: FactSource,
    /// Whether the policy learns only that there is a value.
    pub presence_only: bool,
    /// Facts of which none may be known already.
    pub unless: Vec<String>,
    /// Only the word after this one is told.
    pub after: Option<String>,
    /// Only a path at which there is something is told.
    pub if_exists: bool,
    /// The values that a policy may tell apart.
    pub values: Vec<String>,
    /// The shipped policies that may know it; empty for every policy.
    pub policies: Vec<String>,
}

/// What a policy may have done, by the names of locations and facts. Nothing by default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Grants {
    /// Locations into which a secret may be written.
    pub write: BTreeSet<String>,
    /// Locations into which a reference may be written.
    pub refer: BTreeSet<String>,
    /// Locations from which a copy may be removed.
    pub remove: BTreeSet<String>,
    /// Locations into which a new secret may be written.
    pub mint: BTreeSet<String>,
    /// Locations at which a reference may be replaced or removed.
    pub replace_references: BTreeSet<String>,
    /// Facts that may be changed.
    pub set_facts: BTreeSet<String>,
}

//! `precedent.toml`.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    ops::Range,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use toml::Spanned;

use super::{
    alert::AlertTable,
    declare::{
        CallTable, ConsumerTable, CredentialTable, Declarations, DocumentTable, FactTable,
        GrantTable, LocationTable,
    },
    fleet::FleetTable,
    path::PathTemplate,
    peer::{PeerTable, public_key},
    profiles::ProfilesTable,
};

/// A deployment's manifest as it is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(title = "Precedent manifest (precedent.toml)"))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// Which gateway it is.
    pub(super) deployment: DeploymentTable,
    /// Which policy decides.
    pub(super) policy: PolicyTable,
    /// The policy's parameters; the policy checks them.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, serde_json::Value>"))]
    pub(super) settings: toml::Table,
    /// What the policy may have done. Where the table is left out and the policy is a shipped one,
    /// the preset's grants for it hold; where it is there, it alone holds.
    pub(super) grants: Option<GrantTable>,
    /// The bounds of one decision.
    pub(super) limits: LimitTable,
    /// What runs keep, so that they can be rolled back.
    pub(super) backups: BackupTable,
    /// How much room the journal of the runs has.
    pub(super) journal: JournalTable,
    /// What is known of each credential.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, CredentialTable>"))]
    pub(super) credentials: BTreeMap<Spanned<String>, CredentialTable>,
    /// Files that hold copies; one with the name of a preset's takes its place.
    pub(super) documents: Vec<DocumentTable>,
    /// Documents of variables that programs read after their own environment, most important
    /// first; takes the place of the preset's list.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) environment: Vec<Spanned<String>>,
    /// Places that can hold a copy; one with the name of a preset's takes its place.
    pub(super) locations: Vec<LocationTable>,
    /// Programs that read a credential; one with the name of a preset's takes its place.
    pub(super) consumers: Vec<ConsumerTable>,
    /// What is done with the credentials; one with the name of a preset's takes its place.
    #[cfg_attr(not(feature = "platforms"), serde(deserialize_with = "super::absent::ignored"))]
    pub(super) calls: Vec<CallTable>,
    /// Files of the logins of agents; one with the name of a preset's takes its place.
    #[cfg_attr(not(feature = "platforms"), serde(deserialize_with = "super::absent::ignored"))]
    pub(super) profiles: Vec<ProfilesTable>,
    /// What the policy may know; one with the name of a preset's takes its place.
    pub(super) facts: Vec<FactTable>,
    /// Whom `check` tells of what it finds.
    #[cfg_attr(not(feature = "platforms"), serde(deserialize_with = "super::absent::ignored"))]
    pub(super) alerts: Vec<AlertTable>,
    /// Other nodes, to which secrets are handed and from which they are taken.
    #[cfg_attr(not(feature = "platforms"), serde(deserialize_with = "super::absent::ignored"))]
    pub(super) peers: Vec<PeerTable>,
    /// The fleet that this node is one of.
    #[cfg_attr(not(feature = "platforms"), serde(deserialize_with = "super::absent::ignored"))]
    pub(super) fleet: Option<FleetTable>,
}

/// Which gateway it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DeploymentTable {
    /// Name of the deployment in messages and in the journal.
    pub(super) name: Option<String>,
    /// A shipped preset, such as `openclaw`, or the path of one's own.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) preset: Option<Spanned<String>>,
    /// What the policy cannot see for itself, such as `openclaw-version`; wins over a fact.
    pub(super) attributes: BTreeMap<String, String>,
    /// Whether references of the kind exec are followed: the commands that the gateway's own
    /// configuration names are run, with the gateway's own precautions.
    pub(super) run_commands: bool,
    /// Whether anything is written.
    pub(super) mode: Mode,
}

/// Whether a deployment is changed, or only looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// What is decided is written; where nothing could be decided, a start fails.
    #[default]
    Enforce,
    /// Nothing is written, and what would be, or what went wrong, is reported; no start fails.
    Audit,
}

/// Which policy decides.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PolicyTable {
    /// Name of a shipped policy.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) name: Option<Spanned<String>>,
    /// Path of a component.
    pub(super) file: Option<PathTemplate>,
}

/// The bounds of one decision.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LimitTable {
    /// Time for one call, in milliseconds.
    pub(super) deadline_ms: Option<u64>,
    /// Instructions of one call; not counted where it is left out.
    pub(super) fuel: Option<u64>,
    /// Memory of the instance, in bytes.
    pub(super) memory_bytes: Option<usize>,
    /// Elements of its tables.
    pub(super) table_elements: Option<usize>,
    /// Core instances in the component, and memories and tables of them.
    pub(super) instances: Option<usize>,
    /// Stack of the instance, in bytes; 1 MiB at most.
    #[cfg_attr(feature = "schema", schemars(with = "Option<usize>"))]
    pub(super) stack_bytes: Option<Spanned<usize>>,
    /// What one call may hand to the host, in bytes.
    pub(super) output_bytes: Option<usize>,
    /// Elements of each list of an answer.
    pub(super) list_items: Option<usize>,
    /// Size of the component, in bytes.
    pub(super) component_bytes: Option<usize>,
    /// Time for compiling the component, in milliseconds.
    pub(super) compile_ms: Option<u64>,
}

/// What runs keep of the files that they change.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct BackupTable {
    /// The newest runs.
    pub(super) runs: Option<usize>,
    /// Days.
    pub(super) days: Option<u64>,
}

/// How much room the journal of the runs has.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct JournalTable {
    /// Bytes of all its files together; 64 KiB to 1 TiB.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub(super) bytes: Option<Spanned<usize>>,
    /// How many files share them, the oldest of which goes as a whole; 2 to 100.
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub(super) files: Option<Spanned<usize>>,
}

/// A manifest or preset that cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{}: {message}", path.display(), at.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default())]
#[non_exhaustive]
pub struct ManifestError {
    /// The file.
    pub path: PathBuf,
    /// Line and column, from 1.
    pub at: Option<(usize, usize)>,
    /// What is wrong and what is allowed.
    pub message: String,
    /// The line itself.
    pub line: Option<String>,
}

impl ManifestError {
    pub(super) fn at(path: &Path, text: &str, span: Option<Range<usize>>, message: String) -> Self {
        let at = span.map(|span| {
            let before = text.get(..span.start).unwrap_or(text);
            let start = before.rfind('\n').map_or(0, |newline| newline + 1);
            let column = before.get(start..).map_or(0, |line| line.chars().count()) + 1;
            (before.matches('\n').count() + 1, column)
        });
        Self {
            path: path.to_owned(),
            at,
            line: at
                .and_then(|(line, _)| text.lines().nth(line - 1))
                .filter(|line| !may_hold_a_secret(line))
                .map(ToOwned::to_owned),
            message,
        }
    }
}

/// Keys at which somebody may have written a secret, by mistake.
const NEAR_SECRETS: [&str; 7] =
    ["endpoints", "fingerprint-key", "key", "recipient", "signer", "token", "url"];

/// Whether a line is not shown: it may hold a secret in clear, or a private key for a public one.
fn may_hold_a_secret(line: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let last = |text: &str| {
        let text = text.trim_end_matches(|c| !is_word(c));
        let word = text.rsplit(|c| !is_word(c)).next().unwrap_or_default();
        word.split('.').any(|key| NEAR_SECRETS.contains(&key))
    };
    let upper = line.to_ascii_uppercase();
    // A private key of 32 bytes looks as a public one does. What stands before an `=` ends with a key.
    line.contains("://")
        || ["AGE-SECRET-KEY", "PRIVATE KEY"].iter().any(|sign| upper.contains(sign))
        || line.split(['"', '\'']).any(|word| public_key(word).is_some())
        || line.rsplit('=').skip(1).any(last)
}

/// More than any manifest, preset or plan has.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Reads a text that a person names, a pipe too, of 16 MiB at most.
///
/// # Errors
///
/// Why it could not be read.
pub fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = File::open(path)?.take(LARGEST + 1).read_to_string(&mut text)?;
    if read as u64 > LARGEST {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    Ok(text)
}

/// Reads TOML into a table of ours.
pub(super) fn read<T: for<'de> Deserialize<'de>>(
    path: &Path,
    text: &str,
) -> Result<T, ManifestError> {
    toml::from_str(text).map_err(|error| {
        ManifestError::at(path, text, error.span(), error.message().trim().to_owned())
    })
}

impl Manifest {
    /// Reads a manifest's text; `path` is for messages.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, where, and what is allowed.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ManifestError> {
        read(path, text)
    }

    /// The manifest of a deployment that has none: the preset `openclaw`.
    #[must_use]
    pub fn without_file() -> Self {
        let mut manifest = Self::default();
        manifest.deployment.preset = Some(Spanned::new(0..0, "openclaw".to_owned()));
        manifest
    }

    /// Whether it has grants of its own.
    #[cfg(feature = "cases")]
    pub(crate) fn says_grants(&self) -> bool {
        self.grants.is_some()
    }

    pub(super) fn declarations(&self) -> Declarations {
        Declarations {
            credentials: self.credentials.clone(),
            documents: self.documents.clone(),
            environment: self.environment.clone(),
            locations: self.locations.clone(),
            consumers: self.consumers.clone(),
            calls: self.calls.clone(),
            profiles: self.profiles.clone(),
            facts: self.facts.clone(),
            version_fact: None,
        }
    }
}

/// JSON Schema of the manifest, for editors.
#[cfg(feature = "schema")]
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Manifest).to_value()
}

//! The shape of manifests and presets. Every table denies keys it does not know, so that a typing
//! error is found before it matters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::{Syntax, command::CommandTable, path::PathTemplate, profiles::ProfilesTable};

/// What both a manifest and a preset may declare.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Declarations {
    /// What is known of each credential. One that is not named here has no placeholders.
    #[cfg_attr(feature = "schema", schemars(with = "BTreeMap<String, CredentialTable>"))]
    pub(super) credentials: BTreeMap<Spanned<String>, CredentialTable>,
    /// Files that hold copies.
    pub(super) documents: Vec<DocumentTable>,
    /// Documents of variables that programs read after their own environment, most important first.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) environment: Vec<Spanned<String>>,
    /// Places that can hold a copy.
    pub(super) locations: Vec<LocationTable>,
    /// Programs that read a credential.
    pub(super) consumers: Vec<ConsumerTable>,
    /// What is done with the credentials: which calls fail where one differs.
    #[cfg_attr(not(feature = "platforms"), serde(deserialize_with = "super::absent::ignored"))]
    pub(super) calls: Vec<CallTable>,
    /// Files of the logins of agents.
    #[cfg_attr(not(feature = "platforms"), serde(deserialize_with = "super::absent::ignored"))]
    pub(super) profiles: Vec<ProfilesTable>,
    /// What a policy may know beside the copies. Never a secret.
    pub(super) facts: Vec<FactTable>,
    /// The fact that says which version of the gateway it is, for `explain --as-of`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) version_fact: Option<Spanned<String>>,
}

/// What is known of a credential.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CredentialTable {
    /// Values from the documentation that everybody knows; they count as unset.
    pub(super) placeholders: Vec<String>,
    /// What its readers cut off: a trailing `newline` (the default), or `whitespace` at both ends.
    pub(super) trim: Option<Trim>,
}

/// What readers of a credential cut off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Trim {
    /// A trailing newline.
    #[default]
    Newline,
    /// White space at both ends.
    Whitespace,
}

impl Trim {
    /// What a reader gets of a text.
    #[must_use]
    pub(crate) fn of(self, text: &str) -> &str {
        match self {
            Self::Newline => text.trim_end_matches(['\n', '\r']),
            Self::Whitespace => text.trim(),
        }
    }
}

/// A form in which a document may refer to a secret that is kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceForm {
    /// An object with `source`, `provider` and `id`.
    SecretRef,
    /// A string `${NAME}`.
    Variable,
}

/// A file that holds copies.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DocumentTable {
    /// What locations name it by.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    /// Where it is.
    pub(super) path: PathTemplate,
    /// What it is written in; `json5` where it is left out.
    #[serde(default)]
    pub(super) syntax: Syntax,
    /// Whether it is nothing to speak of where it does not exist.
    #[serde(default)]
    pub(super) optional: bool,
    /// The forms of reference that its readers know; the first is the one to write.
    #[serde(default)]
    pub(super) references: Vec<ReferenceForm>,
    /// The key that says that an object goes on in other files, such as `$include`.
    pub(super) include_key: Option<String>,
    /// Where in the document its readers find more variables, by RFC 6901.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) variables: Vec<Spanned<String>>,
    /// Where in the document it says how references of the kinds file and exec are followed.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) providers: Option<Spanned<String>>,
    /// Names of the units in whose environment its main reader runs, where it is not a shell's.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) services: Vec<Spanned<String>>,
    /// Of a unit: the folders in which systemd looks for its drop-ins, most important first.
    #[serde(default)]
    pub(super) drop_ins: Vec<String>,
    /// Of a unit: whether it is one of the user's manager (`user`) or of the system's.
    #[serde(default)]
    pub(super) scope: Scope,
    /// What the name of the file ends in that its gateway takes for a lock on it, such as `.lock`. It
    /// is taken, as the gateway takes it, while the document is written.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) lock_suffix: Option<Spanned<String>>,
}

/// Whose units they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The system's manager.
    #[default]
    System,
    /// A user's manager.
    User,
}

/// A place that can hold a copy: exactly one of `env`, `argument`, `file`, `command`, or `document`
/// with `pointer`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct LocationTable {
    /// Stable name, such as `config.remote-token`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    /// The credential that it can hold.
    pub(super) credential: String,
    /// A variable of this process.
    pub(super) env: Option<String>,
    /// What a program is handed by whoever starts it, such as `--token`: where a case's `options`
    /// give it, by RFC 6901. Absent on every machine, for nobody can see it there.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) argument: Vec<Spanned<String>>,
    /// A whole file, such as a mounted Kubernetes Secret.
    pub(super) file: Option<PathTemplate>,
    /// A program that prints it, such as a platform's own.
    #[cfg_attr(
        not(feature = "platforms"),
        serde(default, deserialize_with = "super::absent::refused")
    )]
    pub(super) command: Option<CommandTable>,
    /// Name of a document.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) document: Option<Spanned<String>>,
    /// Where in the document, by RFC 6901.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) pointer: Option<Spanned<String>>,
    /// The machine or platform it is on; this one where it is left out.
    pub(super) node: Option<String>,
    /// The place in the operator's words; told from the place where it is left out.
    pub(super) label: Option<String>,
    /// More about it, for the policy.
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
}

/// A program that reads credentials.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct ConsumerTable {
    /// Name of the program.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    /// The credentials that it reads.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) credentials: Vec<Spanned<String>>,
    /// The machine or platform it runs on; this one where it is left out.
    pub(super) node: Option<String>,
    /// More about it, for the policy.
    #[serde(default)]
    pub(super) attributes: BTreeMap<String, String>,
}

/// Something that is done with credentials, such as an API call or a job: it fails where a program that it
/// is done by does not get the secret that it should.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CallTable {
    /// What people call it, such as `sessions_list`.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    /// The credentials that it needs; none where it goes on whatever happens.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) needs: Vec<Spanned<String>>,
    /// The programs that it is done by; all that read the credentials where it is left out.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) by: Vec<Spanned<String>>,
}

/// What a policy may know: exactly one of `env`, `document` with `pointer` (what stands there) or
/// without (its path), `files`, `started-package`, `package`, or `version-of`.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct FactTable {
    /// What the policy knows it by.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub(super) name: Spanned<String>,
    /// A variable of this process.
    pub(super) env: Option<String>,
    /// Name of a document.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) document: Option<Spanned<String>>,
    /// Where in the document, by RFC 6901. With `files`: where in each of them, `*` for any key.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub(super) pointer: Option<Spanned<String>>,
    /// Files that exist, one a line; `*` stands for any part of a name.
    #[serde(default)]
    pub(super) files: Vec<String>,
    /// The version of an npm package that a unit starts.
    pub(super) started_package: Option<String>,
    /// The version of an npm package to which a program of its name on the PATH belongs.
    pub(super) package: Option<String>,
    /// What a program on the PATH says to `--version`. It is run; so this is a last resort.
    pub(super) version_of: Option<String>,
    /// Facts of which none may be known already; with `version-of`.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) unless: Vec<Spanned<String>>,
    /// Tells the policy only that there is a value, not which.
    #[serde(default)]
    pub(super) presence_only: bool,
    /// With `pointer`: tells only the word after this one, as in a command line.
    pub(super) after: Option<String>,
    /// With `pointer`: tells a path only where there is something.
    #[serde(default)]
    pub(super) if_exists: bool,
    /// The values that a policy may tell apart: what `precedent policy prove` goes through.
    #[serde(default)]
    pub(super) values: Vec<String>,
    /// The shipped policies that may know it; every policy where it is left out.
    #[serde(default)]
    pub(super) policies: Vec<String>,
}

/// What a policy may have done; nothing by default. Names are those of locations, facts and
/// credentials.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GrantTable {
    /// Locations into which a secret may be written.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) write: Vec<Spanned<String>>,
    /// Locations into which a reference may be written.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) refer: Vec<Spanned<String>>,
    /// Locations from which a copy may be removed.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) remove: Vec<Spanned<String>>,
    /// Locations into which a new secret may be written.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) mint: Vec<Spanned<String>>,
    /// Locations at which a reference may be replaced or removed.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) replace_references: Vec<Spanned<String>>,
    /// Facts that may be changed.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub(super) set_facts: Vec<Spanned<String>>,
}

//! All observations, consumers and facts of one pass.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Finding, Pointer, Severity};
use crate::{
    config::{ReferenceForm, Syntax},
    secret::{Digest, Fingerprint},
};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The position as an index.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of a position.
            #[must_use]
            pub fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).unwrap_or(u32::MAX))
            }
        }
    )*};
}

ids! {
    /// Position of a location in its snapshot.
    LocationId,
    /// Position of a consumer in its snapshot.
    ConsumerId,
    /// Position of a credential in its snapshot.
    CredentialId,
    /// Position of a file in its snapshot.
    FileId
}

/// Why the host asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Phase {
    /// The gateway is about to start.
    Start,
    /// The gateway is about to restart.
    Restart,
    /// Somebody looks.
    Check,
    /// Somebody asked for repairs.
    Repair,
    /// A new secret takes the place of the old one.
    Rotate,
}

/// What sort of place a location is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LocationKind {
    /// An environment variable, or what a program is handed beside its environment.
    Environment,
    /// A pointer into a document.
    Document,
    /// A whole file.
    File,
    /// A line of a file of variables.
    Dotenv,
    /// A setting of a systemd unit.
    Unit,
    /// A key of a launchd property list.
    Plist,
    /// The output of a command.
    Command,
}

/// Why a location could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// The operating system denied access.
    NotPermitted,
    /// A directory, device, FIFO or dangling link stands where a file should be.
    NotAFile,
    /// Does not parse, or is not UTF-8.
    Syntax,
    /// A key stands twice in one object.
    DuplicateKey,
    /// A value of another type stands at the pointer, or on the way to it.
    WrongType,
    /// Larger than the host reads.
    TooLarge,
    /// No answer in time.
    TimedOut,
    /// Any other failure to read.
    Failed,
}

/// Where a reference points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReferenceKind {
    /// An environment variable.
    Environment,
    /// A file.
    File,
    /// The output of a command.
    Command,
    /// A secret store.
    Store,
    /// A form that the host does not know.
    Unknown,
}

/// A reference that stands where a secret could.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// What sort of thing it names.
    pub kind: ReferenceKind,
    /// The variable, path or id that it names.
    pub target: String,
    /// The secret it leads to today.
    pub resolved: Option<Fingerprint>,
}

/// What was seen at a location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Presence {
    /// Nothing.
    Absent,
    /// There, but empty or white space.
    Empty,
    /// A value from the documentation that everybody knows.
    Placeholder,
    /// A secret in clear.
    Plain(Fingerprint),
    /// A reference to a secret that is kept elsewhere.
    Reference(Reference),
    /// There may be something, but it could not be read.
    Unreadable(Fault),
}

impl Presence {
    /// Whether a reference stands here that the host may not follow: a reader gets a secret, but
    /// which one is not known.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        matches!(self, Self::Reference(reference)
            if reference.resolved.is_none() && reference.kind != ReferenceKind::Environment)
    }

    /// The secret that a reader would get here.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self {
            Self::Plain(fingerprint) => Some(*fingerprint),
            Self::Reference(reference) => reference.resolved,
            _ => None,
        }
    }
}

/// Where a location is, for the host alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Place {
    /// An environment variable.
    Variable(String),
    /// What a program is handed by whoever starts it, such as `--token`.
    Argument,
    /// A pointer into a document.
    Pointer {
        /// The document.
        file: FileId,
        /// The steps into it.
        pointer: Pointer,
    },
    /// A whole file.
    File(FileId),
    /// What a program prints: the command, and where in its output.
    Command(String),
}

impl Place {
    /// The file it is in.
    #[must_use]
    pub fn file(&self) -> Option<FileId> {
        match self {
            Self::Variable(_) | Self::Argument | Self::Command(_) => None,
            Self::Pointer { file, .. } | Self::File(file) => Some(*file),
        }
    }
}

/// What was found where a file should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FileStatus {
    /// Nothing.
    Absent,
    /// A file with these bytes.
    Present(Digest),
    /// Something that could not be read, or that is not what it should be.
    Unreadable(Fault),
}

/// A file that holds locations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileState {
    /// The path as the deployment names it.
    pub path: PathBuf,
    /// What was found there.
    pub status: FileStatus,
    /// Whether this process could replace it.
    pub writable: bool,
    /// What it is written in, where it is a document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub syntax: Option<Syntax>,
    /// The form of reference to write into it, where its readers know one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceForm>,
    /// The gateway's own lock on it, where it has such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<PathBuf>,
}

/// A place that can hold a copy of a credential, and what was seen there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// Stable name, such as `config.remote-token`.
    pub name: String,
    /// The credential it can hold.
    pub credential: CredentialId,
    /// What sort of place it is.
    pub kind: LocationKind,
    /// The place in the operator's words, such as `gateway.remote.token`.
    pub label: String,
    /// The machine or platform it is on; none on the one that observes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What was seen.
    pub presence: Presence,
    /// When the secret stops being valid, in seconds since 1970.
    pub expires: Option<u64>,
    /// When the means to renew it stop being valid, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_expires: Option<u64>,
    /// Where in its document it says when the secret stops being valid, in milliseconds since 1970: what is
    /// written takes its time along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<Pointer>,
    /// Fingerprint of what the place shows of a secret that it does not show, such as a digest: for the host
    /// alone, to know whether it is still the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Fingerprint>,
    /// When the place was last changed, in seconds since 1970.
    pub modified: Option<u64>,
    /// Whether the host could write there, grants aside.
    pub writable: bool,
    /// Whether what is written there outlives the process.
    pub durable: bool,
    /// Where it is.
    pub place: Place,
    /// More about it, for the policy.
    pub attributes: BTreeMap<String, String>,
}

/// A program that reads a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    /// Name of the program.
    pub name: String,
    /// The credential it reads.
    pub credential: CredentialId,
    /// The machine or platform it runs on; none on the one that observes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// More about it, for the policy.
    pub attributes: BTreeMap<String, String>,
}

/// Something known about the deployment that is no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What is known; none where the place holds nothing.
    pub value: Option<String>,
    /// Where it comes from, if a policy may be granted to change it.
    pub place: Option<Place>,
}

/// What stands between the name of a declared location and the file that was discovered, as in
/// `unit.gateway-token@10-token.conf`.
pub(crate) const FAMILY: char = '@';

/// The name under which a location was declared.
pub(crate) fn declared_name(name: &str) -> &str {
    name.split(FAMILY).next().unwrap_or(name)
}

/// All observations, consumers and facts of one pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Name of the deployment.
    pub deployment: String,
    /// Why the host asks.
    pub phase: Phase,
    /// When the host observed, in seconds since 1970.
    pub now: u64,
    /// The deployment's settings for the policy.
    pub settings: serde_json::Value,
    /// Names of the credentials.
    pub credentials: Vec<String>,
    /// What was seen where.
    pub locations: Vec<Location>,
    /// Who reads what.
    pub consumers: Vec<Consumer>,
    /// What else is known.
    pub facts: BTreeMap<String, Fact>,
    /// The files behind the locations.
    pub files: Vec<FileState>,
    /// What the host itself has to say.
    pub findings: Vec<Finding>,
}

impl Snapshot {
    /// A location by its id.
    #[must_use]
    pub fn location(&self, id: LocationId) -> Option<&Location> {
        self.locations.get(id.index())
    }

    /// A location by its name.
    #[must_use]
    pub fn location_named(&self, name: &str) -> Option<(LocationId, &Location)> {
        let index = self.locations.iter().position(|location| location.name == name)?;
        Some((LocationId::from_index(index), self.locations.get(index)?))
    }

    /// Name of a location; its number where it does not exist.
    #[must_use]
    pub fn name_of(&self, id: LocationId) -> String {
        self.location(id)
            .map_or_else(|| format!("location {}", id.0), |location| location.name.clone())
    }

    /// A location in the operator's words; its number where it does not exist.
    #[must_use]
    pub fn label_of(&self, id: LocationId) -> String {
        self.location(id)
            .map_or_else(|| format!("location {}", id.0), |location| location.label.clone())
    }

    /// Name of a credential.
    #[must_use]
    pub fn credential(&self, id: CredentialId) -> &str {
        self.credentials.get(id.index()).map_or("", String::as_str)
    }

    /// A file by its id.
    #[must_use]
    pub fn file(&self, id: FileId) -> Option<&FileState> {
        self.files.get(id.index())
    }

    /// The path of the file that a location is in.
    #[must_use]
    pub fn path_of(&self, location: &Location) -> Option<&PathBuf> {
        self.file(location.place.file()?).map(|file| &file.path)
    }

    pub(crate) fn find(
        &mut self,
        severity: Severity,
        code: &str,
        message: String,
        remedy: Option<String>,
        locations: Vec<LocationId>,
    ) {
        self.findings.push(Finding { code: code.to_owned(), severity, message, remedy, locations });
    }
}

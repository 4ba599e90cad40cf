//! The request and the answer as JSON, as whoever takes another engine would have them.

use serde::{Deserialize, Serialize};

/// What was seen where, and who reads what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Names of the credentials.
    pub credentials: Vec<String>,
    /// The places that can hold a copy.
    pub locations: Vec<Place>,
    /// The programs, each with one credential that it reads.
    pub consumers: Vec<Program>,
}

/// A place that can hold a copy of a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Stable name.
    pub name: String,
    /// The place in the operator's words.
    pub label: String,
    /// Position of the credential.
    pub credential: u32,
    /// What sort of place it is.
    pub kind: Kind,
    /// What was seen there.
    pub presence: Presence,
    /// Number of the secret that a reader gets here: equal numbers are equal secrets.
    pub secret: Option<u32>,
    /// Whether it can be written.
    pub writable: bool,
}

/// A program that reads a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name, which says in which order it looks.
    pub name: String,
    /// Position of the credential.
    pub credential: u32,
}

/// What sort of place it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A variable.
    Environment,
    /// A pointer into a document.
    Document,
    /// A line of a file of variables.
    Dotenv,
    /// A setting of a unit.
    Unit,
}

/// What was seen at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Nothing.
    Absent,
    /// A value that counts as none.
    Placeholder,
    /// A secret in clear.
    Plain,
    /// A reference that leads to a secret.
    Reference,
}

/// The decision.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// One for each program.
    pub verdicts: Vec<Verdict>,
    /// What is to be written.
    pub actions: Vec<Write>,
    /// What the operator should know.
    pub findings: Vec<Finding>,
}

/// What is true, and what should be, for one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Position of the program.
    pub consumer: u32,
    /// The copy that it gets.
    pub today: Option<u32>,
    /// The copy that it should get.
    pub wanted: Option<u32>,
    /// The copy that it would get if today's vanished.
    pub next: Option<u32>,
    /// Why.
    pub reason: String,
}

/// A secret that is written from one place to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// Where it is.
    pub from: u32,
    /// Where it goes.
    pub to: u32,
    /// Why.
    pub reason: String,
}

/// Something that the operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable word.
    pub code: String,
    /// What it says.
    pub message: String,
    /// The place that it speaks of.
    pub location: u32,
}

//! The policy's answer.

use serde::{Deserialize, Serialize};

use super::{ConsumerId, CredentialId, LocationId};

/// What a consumer gets when it resolves its credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Standing {
    /// The copy at this location, directly or through the reference there.
    Copy(LocationId),
    /// No copy at all.
    Nothing,
    /// It stops at this reference, which leads nowhere.
    Unresolved(LocationId),
    /// It makes up a secret for this run.
    Generated,
    /// It refuses its configuration, or cannot read it.
    Invalid,
}

/// What is true, and what should be, for one consumer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The consumer.
    pub consumer: ConsumerId,
    /// What it uses today.
    pub today: Standing,
    /// The copy that should win; none where the policy has no say.
    pub wanted: Option<LocationId>,
    /// Why.
    pub reason: String,
    /// The copy that would win if today's vanished.
    pub next: Option<LocationId>,
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Will hurt one day.
    Warning,
    /// Hurts.
    Error,
}

/// Something to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Deed {
    /// Write the secret at `from` into `to`.
    Write {
        /// Where the secret is.
        from: LocationId,
        /// Where it goes.
        to: LocationId,
    },
    /// Write into `to` a reference to `from`.
    Refer {
        /// What the reference names.
        from: LocationId,
        /// Where it goes.
        to: LocationId,
    },
    /// Remove the copy.
    Remove(LocationId),
    /// Make a new secret and write it.
    Mint {
        /// The credential.
        credential: CredentialId,
        /// Where it goes.
        to: LocationId,
    },
    /// Renew the secret at the place that issued it.
    Refresh(LocationId),
    /// Change a fact.
    SetFact {
        /// The fact.
        key: String,
        /// Its new value.
        value: String,
    },
    /// Restart the consumer.
    Restart(ConsumerId),
    /// Tell whoever watches.
    Alert {
        /// How much it matters.
        severity: Severity,
        /// What to say.
        message: String,
    },
}

/// A deed and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// What is to be done.
    pub deed: Deed,
    /// Why.
    pub reason: String,
}

/// Something that the operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Stable word for scripts.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// What it says.
    pub message: String,
    /// The command or the step that mends it.
    pub remedy: Option<String>,
    /// The locations it speaks of.
    pub locations: Vec<LocationId>,
}

/// The policy's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// One for each consumer.
    pub verdicts: Vec<Verdict>,
    /// What is to be done.
    pub actions: Vec<Action>,
    /// What the operator should know.
    pub findings: Vec<Finding>,
}

/// The policy says no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable word for scripts.
    pub code: String,
    /// Why.
    pub reason: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// The locations it speaks of.
    pub locations: Vec<LocationId>,
}

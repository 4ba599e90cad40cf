//! The records of `wit/v1` as JSON: what a policy is shown, and what it answers. A policy that runs
//! natively, in its own tests, decides through this as its component does through WebAssembly.

use serde_json::Value;

use super::{
    Answer, DecideError,
    contract::v1::{self, wit},
};
use crate::model::Snapshot;

/// Everything that a policy is shown of a snapshot. Holds neither a secret nor a fingerprint.
#[must_use]
pub fn shown(snapshot: &Snapshot) -> Value {
    serde_json::to_value(v1::shown(snapshot)).unwrap_or_default()
}

/// Reads a decision.
///
/// # Errors
///
/// Where it is none.
pub fn decision(json: Value) -> Result<Answer, DecideError> {
    serde_json::from_value::<wit::Decision>(json)
        .map_err(|error| error.to_string())
        .and_then(|said| v1::decision(said).map_err(|error| error.to_string()))
        .map(Ok)
        .map_err(DecideError::Answer)
}

/// Reads a refusal.
///
/// # Errors
///
/// Where it is none.
pub fn refusal(json: Value) -> Result<Answer, DecideError> {
    serde_json::from_value::<wit::Refusal>(json)
        .map_err(|error| error.to_string())
        .and_then(|said| v1::refusal(said).map_err(|error| error.to_string()))
        .map(Err)
        .map_err(DecideError::Answer)
}

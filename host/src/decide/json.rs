//! The contract's records as JSON: what a policy is shown, and what it answers. A policy that runs
//! natively, in its own tests, decides through this as its component does through WebAssembly.

use serde_json::Value;

use super::{Answer, DecideError, contract::wit, convert};
use crate::model::Snapshot;

/// Everything that a policy is shown of a snapshot. Holds neither a secret nor a fingerprint.
#[must_use]
pub fn shown(snapshot: &Snapshot) -> Value {
    serde_json::to_value(convert::to_contract(snapshot)).unwrap_or_default()
}

/// Reads a decision.
///
/// # Errors
///
/// Where it is none.
pub fn decision(json: Value) -> Result<Answer, DecideError> {
    serde_json::from_value::<wit::Decision>(json)
        .map(|decision| Ok(convert::decision(decision)))
        .map_err(|error| DecideError::Answer(error.to_string()))
}

/// Reads a refusal.
///
/// # Errors
///
/// Where it is none.
pub fn refusal(json: Value) -> Result<Answer, DecideError> {
    serde_json::from_value::<wit::Refusal>(json)
        .map(|refusal| Err(convert::refusal(refusal)))
        .map_err(|error| DecideError::Answer(error.to_string()))
}

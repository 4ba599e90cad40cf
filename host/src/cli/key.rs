//! The installation's key, for what works on a policy alone.

use anyhow::Result;
use precedent::{
    Error,
    record::{OwnKey, StateFolder},
};

use super::session::tell;

/// The installation's key; for this run only where it cannot be kept.
pub(crate) fn key(state: Option<&StateFolder>) -> Result<OwnKey> {
    Ok(OwnKey::of(state, &tell).map_err(Error::from)?)
}

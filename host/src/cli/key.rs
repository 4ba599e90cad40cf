//! The installation's key, and what it is good for.

use anyhow::{Context, Result};
use precedent::{record::StateFolder, secret::Key};

use super::session::warn;

/// The installation's key.
pub(crate) struct OwnKey {
    pub(crate) key: Key,
    /// Whether it is there for the next run too, so that what is sealed with it can be opened.
    pub(crate) is_kept: bool,
    /// Whether nobody else can read it besides: a hash under it says that code is ours.
    pub(crate) is_ours_alone: bool,
}

/// The installation's key; for this run only where it cannot be kept.
pub(crate) fn key(state: Option<&StateFolder>) -> Result<OwnKey> {
    let kept = match state {
        Some(state) => state.key().map_err(|error| error.to_string()),
        None => Err("neither PRECEDENT_STATE_DIR nor HOME is set".to_owned()),
    };
    match kept {
        Ok(key) => {
            let shared = state.and_then(StateFolder::shared_key);
            if let Some(message) = &shared {
                warn(&format!("compiled policies are not kept: {message}"));
            }
            Ok(OwnKey { key, is_kept: true, is_ours_alone: shared.is_none() })
        }
        Err(reason) => {
            warn(&format!("fingerprints are for this run only: {reason}"));
            let key = Key::generate().context("no randomness for a key")?;
            Ok(OwnKey { key, is_kept: false, is_ours_alone: false })
        }
    }
}

//! The deployment's parameters.

use serde::Deserialize;

/// Settings of the helm policy.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What is kept on the volume.
    pub persist: Persist,
}

/// What is kept on the volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Persist {
    /// `gateway.auth.token` and `gateway.remote.token` hold the token.
    #[default]
    Both,
    /// `gateway.remote.token` holds the token; a stale `gateway.auth.token` is removed.
    RemoteOnly,
    /// Both hold a reference to the variable: no plain text on disk.
    Reference,
    /// Neither holds a plain copy.
    None,
}

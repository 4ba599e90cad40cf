//! The deployment's parameters.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Settings of the paas policy.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// By credential: the location that is right.
    pub authority: BTreeMap<String, String>,
    /// Locations that follow their authority. The others are only held against it.
    pub sync: Vec<String>,
    /// Whether to write also where that starts anew what runs there.
    pub restarts: bool,
}

//! The deployment's parameters.

use serde::Deserialize;

/// Settings of the binary policy.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// What becomes of node services.
    pub node_services: NodeServices,
    /// Whether a new token is made where there is none anywhere.
    pub mint: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { node_services: NodeServices::default(), mint: true }
    }
}

/// What becomes of the copies in node services.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeServices {
    /// They are looked at, and what differs is told.
    #[default]
    Check,
    /// They follow.
    KeepInStep,
}

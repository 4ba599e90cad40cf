//! The presets that the host ships: a gateway's locations and consumers, as data.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::declare::{Declarations, GrantTable};

/// The shipped presets: name and text.
pub const PRESETS: &[(&str, &str)] = &[("openclaw", include_str!("../../presets/openclaw.toml"))];

/// A gateway's locations and consumers, and what its shipped policies may have written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Preset {
    pub(super) declare: Declarations,
    /// By policy.
    pub(super) grants: BTreeMap<String, GrantTable>,
}

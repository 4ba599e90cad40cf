//! The deployment's parameters.

use serde::Deserialize;

/// Settings of the nodes policy.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// How long a login must be valid at least, in minutes.
    pub margin_minutes: u64,
    /// The share of the agents that work at once after a restart, in percent.
    pub carry_percent: u64,
    /// Whether to raise `agents.defaults.maxConcurrent` to what carries them.
    pub raise: bool,
    /// The node that alone may renew logins; each may where it is left out.
    pub refresher: Option<String>,
    /// What this node is called, for `refresher`.
    pub node: Option<String>,
    /// The providers whose logins are judged; all where it is empty.
    pub providers: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            margin_minutes: 60,
            carry_percent: 80,
            raise: false,
            refresher: None,
            node: None,
            providers: Vec::new(),
        }
    }
}

impl Settings {
    /// What the type cannot say.
    pub(crate) fn check(&self) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        if self.margin_minutes > 525_600 {
            wrong.push(format!(
                "a margin of {} minutes is not possible, 525600 is the most",
                self.margin_minutes
            ));
        }
        if !(1..=100).contains(&self.carry_percent) {
            wrong.push(format!("`carry-percent` is 1 to 100, not {}", self.carry_percent));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }

    /// The same in seconds.
    pub(crate) fn margin(&self) -> u64 {
        self.margin_minutes.saturating_mul(60)
    }

    /// Whether the logins of a provider are judged.
    pub(crate) fn judges(&self, provider: &str) -> bool {
        self.providers.is_empty() || self.providers.iter().any(|known| known == provider)
    }

    /// The node that alone may renew logins, where it is another one.
    pub(crate) fn other_refresher(&self) -> Option<&str> {
        self.refresher.as_deref().filter(|refresher| self.node.as_deref() != Some(refresher))
    }
}

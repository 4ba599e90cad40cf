//! How many agents come back at once after a restart, and how many may work.

use std::collections::BTreeSet;

use precedent_guest::{Decision, Severity, Snapshot};

use crate::{Settings, login::Login};

const LIMIT: &str = "agents.max-concurrent";

/// What OpenClaw takes where its configuration does not say.
const DEFAULT: u64 = 4;

/// The agents of this node.
pub(crate) fn agents<'s>(logins: &[Login<'s>]) -> BTreeSet<&'s str> {
    logins.iter().map(|login| login.agent).collect()
}

/// The agents that reconnect at once, against how many may work.
pub(crate) struct Reconnect {
    agents: u64,
    limit: u64,
    /// Whether the configuration says the limit.
    is_said: bool,
    /// What carries them.
    carry: u64,
    percent: u64,
    /// Whether the configuration can be written.
    is_writable: bool,
}

impl Reconnect {
    pub(crate) fn new(snapshot: &Snapshot, settings: &Settings, logins: &[Login<'_>]) -> Self {
        let agents = agents(logins).len() as u64;
        let said = snapshot.fact(LIMIT);
        let config = snapshot.location_named("config.auth-token");
        Self {
            agents,
            limit: said.and_then(|said| said.parse().ok()).unwrap_or(DEFAULT),
            is_said: said.is_some(),
            carry: (agents * settings.carry_percent).div_ceil(100).max(1),
            percent: settings.carry_percent,
            is_writable: config.is_some_and(|config| config.writable && !config.is_unreadable()),
        }
    }

    /// What happens, in a sentence; none where the limit carries them.
    pub(crate) fn in_words(&self) -> Option<String> {
        let Self { agents, limit, carry, percent, .. } = self;
        let default = if self.is_said { "" } else { " (its default)" };
        (carry > limit).then(|| {
            format!(
                "{agents} agents reconnect at once after a restart, and agents.defaults.maxConcurrent lets {limit}{default} work: {carry} carries them, {percent} % of {agents}"
            )
        })
    }

    /// Raises the limit, or says that somebody should.
    pub(crate) fn decide(&self, settings: &Settings, decision: &mut Decision) {
        let Some(words) = self.in_words() else { return };
        if settings.raise && self.is_writable {
            decision.set_fact(LIMIT, self.carry.to_string(), words);
            return;
        }
        let by_hand = format!("openclaw config set agents.defaults.maxConcurrent {}", self.carry);
        let remedy = if settings.raise {
            format!("{by_hand}: the configuration cannot be written from here")
        } else {
            format!("{by_hand}; or set `raise = true` and grant `set-facts = [\"{LIMIT}\"]`")
        };
        decision.finding(Severity::Warning, "reconnects-exceed-limit", words).remedy(remedy);
    }
}

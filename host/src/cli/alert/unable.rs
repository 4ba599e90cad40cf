//! What a build without the feature `alerts` has to say of them.

use precedent::{Proposal, config::Deployment};

use super::session::warn;

/// The alerts of a deployment, which nobody hears.
pub(crate) struct Alerts {
    count: usize,
}

impl Alerts {
    pub(crate) fn of(deployment: &Deployment) -> Self {
        Self { count: deployment.alerts.len() }
    }

    pub(crate) fn seen(&self, _: &Proposal, _: &str, _: &[String]) {
        self.say();
    }

    pub(crate) fn fault(&self, _: &anyhow::Error) {
        self.say();
    }

    fn say(&self) {
        if self.count > 0 {
            warn(
                "this build cannot send alerts, and the manifest has some; take one with the feature `alerts`, or say --no-alerts",
            );
        }
    }
}

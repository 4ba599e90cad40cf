//! The copies that follow the truth, and those that can only be told.

use precedent_guest::{Decision, Location, Severity};
use precedent_openclaw::{Credential, Mode, Program};

use super::{Custody, Truth};
use crate::settings::NodeServices;

impl<'s> Custody<'_, 's> {
    /// Copies in files that follow the truth where they differ.
    pub(super) fn follow(&self, truth: Truth<'s>, decision: &mut Decision) {
        let of = self.credential;
        let in_configuration = match of {
            Credential::Token => ["config.env-token", "config.env-vars-token"],
            Credential::Password => ["config.env-password", "config.env-vars-password"],
        };
        let files = [format!("dotenv.{}", of.name()), format!("gateway-env.{}", of.name())];
        // In remote mode gateway.auth.* is not ours to judge, and gateway.remote.* is the truth.
        let remote = (self.installation.mode == Mode::Local).then(|| of.remote());
        let followers = remote
            .into_iter()
            .chain(in_configuration)
            .chain(files.iter().map(String::as_str))
            .filter_map(|name| self.installation.location(name));
        for copy in followers.filter(|copy| copy.id != truth.from.id && copy.id != truth.to.id) {
            self.follow_one(truth, copy, decision);
        }
    }

    fn follow_one(&self, truth: Truth<'s>, copy: Location<'s>, decision: &mut Decision) {
        if !copy.is_plain() || copy.same_secret(&truth.from) {
            return;
        }
        let (label, source) = (copy.label(), truth.from.label());
        // No secret is copied out of a reference; and what a shell happens to have is no reason to
        // write over what lasts.
        let passing = truth.to.name == self.credential.env();
        if passing || !truth.from.is_plain() {
            if truth.from.fingerprint().is_some() {
                let message = format!("{label} holds another {} than {source}", self.noun());
                decision
                    .finding(Severity::Warning, "copy-differs", message)
                    .at([copy, truth.from])
                    .remedy("remove the one that is stale, or keep the right one in gateway.auth: precedent rotate");
            }
            return;
        }
        if !copy.writable {
            let message = format!("{label} should follow {source}, but cannot be written here");
            decision
                .finding(Severity::Error, "target-read-only", message)
                .at([copy])
                .remedy("make the file and its folder writable for this user, or change the copy where it is made");
            return;
        }
        decision.write_unless_equal(truth.from, copy, format!("{label} follows {source}"));
    }

    /// Looks at the copies in node services, and has them follow where the settings say so.
    pub(super) fn node_services(&self, truth: Truth<'s>, decision: &mut Decision) {
        let Some(node) = self.installation.service(Program::NodeHost) else { return };
        let noun = self.noun();
        // What a node presents to a gateway elsewhere is not ours to judge.
        if self.installation.node_connects_to().is_some() {
            return;
        }
        for copy in self.node_copies() {
            if self.installation.is_embedded(copy) {
                let message = format!(
                    "{} holds the {noun} in clear, and nothing of OpenClaw's own looks at it",
                    copy.label()
                );
                decision
                    .finding(Severity::Info, format!("node-{}-embedded", self.noun()), message)
                    .at([copy])
                    .remedy(
                        "openclaw node install --force keeps it in a file of its own since 2026.7",
                    );
            }
            if truth.from.fingerprint().is_none() || copy.same_secret(&truth.from) {
                continue;
            }
            let message = format!(
                "{} holds another {noun} than {}: the node is refused when it connects again",
                copy.label(),
                truth.from.label()
            );
            let follows = self.settings.node_services == NodeServices::KeepInStep;
            let setting = if follows { "" } else { " --set node-services=keep-in-step" };
            let remedy =
                format!("precedent apply{setting}, then {}, then {}", node.reload, node.restart);
            decision
                .finding(Severity::Warning, format!("node-{}-mismatch", self.noun()), message)
                .at([copy, truth.from])
                .remedy(remedy);
            if follows && truth.from.is_plain() && copy.writable && self.is_in_force(copy) {
                let reason = format!(
                    "{} follows {}; then {}, then {}",
                    copy.label(),
                    truth.from.label(),
                    node.reload,
                    node.restart
                );
                decision.write_unless_equal(truth.from, copy, reason);
            }
        }
    }

    /// Variables of the shell, and of a folder that is not ours, which no plan can change.
    pub(super) fn tell_stale_variables(&self, truth: Truth<'s>, decision: &mut Decision) {
        // Inside the service they are the service's, which the next start has anew.
        if self.installation.in_service {
            return;
        }
        let known = truth.from.fingerprint().is_some();
        let variable = self.installation.location(self.credential.env());
        let stale = |place: &Location<'s>| place.is_plain() && !place.same_secret(&truth.from);
        if let Some(variable) = variable.filter(|place| known && stale(place)) {
            let message = format!(
                "{} in this shell holds another {} than {}",
                variable.label(),
                self.noun(),
                truth.from.label()
            );
            decision
                .finding(Severity::Warning, "variable-stale", message)
                .at([variable, truth.from])
                .remedy(format!(
                    "unset {}, and take it out of the shell's profile",
                    variable.label()
                ));
        }
    }
}

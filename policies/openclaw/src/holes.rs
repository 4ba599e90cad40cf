//! What OpenClaw's own diagnostics do not show: each a finding with the command that mends it.

use precedent_guest::{Decision, Location, Phase, ReferenceKind, Severity, Standing};

use crate::{AuthMode, Credential, Installation, Mode, Program, Version, era};

/// Up to this release a repair without a terminal made a new token over one that only the unit had.
const REPAIR_MINTS_UNTIL: Version = Version(2026, 4, 0);
/// Since then OAuth logins are kept in a database, and a leftover file of them blocks its providers.
const LOGINS_IN_DATABASE: Version = Version(2026, 8, 0);
/// Since then a `${NAME}` that leads nowhere no longer keeps the server from starting.
const STARTS_WITHOUT_VARIABLE: Version = Version(2026, 8, 0);

/// Adds a finding for each.
pub fn find(installation: &Installation<'_>, decision: &mut Decision) {
    let search = Search { installation };
    search.version(decision);
    search.stale_remote(decision);
    search.upgrade(decision);
    search.only_remote(decision);
    search.missing_variables(decision);
    search.reload(decision);
    search.repair(decision);
    search.other_configurations(decision);
    search.logins(decision);
    search.rotation(decision);
    search.other_service(decision);
}

/// Says which release is taken for granted, where that is not sure.
pub fn version(installation: &Installation<'_>, decision: &mut Decision) {
    Search { installation }.version(decision);
}

struct Search<'i, 's> {
    installation: &'i Installation<'s>,
}

impl<'s> Search<'_, 's> {
    fn fact(&self, name: &str) -> Option<&'s str> {
        self.installation.snapshot.fact(name)
    }

    fn location(&self, name: &str) -> Option<Location<'s>> {
        self.installation.location(name)
    }

    /// Which release is taken for granted, where that is not sure.
    fn version(&self, decision: &mut Decision) {
        let remedy = "say it: --attribute openclaw-version=2026.9.6, or [deployment.attributes] in the manifest";
        if let Some(said) =
            self.fact("openclaw-version").filter(|_| !self.installation.version_known)
        {
            let message = format!(
                "`{said}` is no release of OpenClaw (they are YEAR.MONTH.NUMBER); its programs are taken to read as those of {}",
                self.installation.version
            );
            decision.finding(Severity::Error, "version-invalid", message).remedy(remedy);
        } else if !self.installation.version_known {
            let message = format!(
                "the version of OpenClaw is not known here; its programs are taken to read as those of {}",
                self.installation.version
            );
            decision.finding(Severity::Info, "version-unknown", message).remedy(remedy);
        } else if self.installation.version > Version::NEWEST {
            let message = format!(
                "OpenClaw {} is newer than any that was measured; its programs are taken to read as those of {}",
                self.installation.version,
                Version::NEWEST
            );
            decision
                .finding(Severity::Info, "version-newer", message)
                .remedy("compare what explain says with openclaw gateway call health");
        }
    }

    /// Hole 1: a stale `gateway.remote.token` is invisible: the probe leaves it out.
    fn stale_remote(&self, decision: &mut Decision) {
        for of in [Credential::Token, Credential::Password] {
            let (Some(remote), Some(truth)) = (self.location(of.remote()), self.server_copy(of))
            else {
                continue;
            };
            let differs = remote.fingerprint().is_some()
                && truth.fingerprint().is_some()
                && !remote.same_secret(&truth);
            if self.installation.mode != Mode::Local || remote.id == truth.id || !differs {
                continue;
            }
            let message = format!(
                "{} holds another secret than {}, which the server takes: whoever falls back to it is refused, and OpenClaw's own probe does not look at it",
                remote.label(),
                truth.label()
            );
            decision
                .finding(Severity::Warning, "remote-copy-stale", message)
                .at([remote, truth])
                .remedy("precedent apply; where that leaves it alone, precedent rotate");
        }
    }

    /// Hole 2: the upgrade across 7.x to 8.x changes which copy wins, and nothing says so.
    fn upgrade(&self, decision: &mut Decision) {
        if self.installation.version >= era::CONFIG_FIRST || !self.installation.is_readable() {
            return;
        }
        let later = self.installation.as_of(Version::NEWEST);
        let mut locations = Vec::new();
        let mut changes = Vec::new();
        for consumer in self.installation.snapshot.consumers() {
            let (now, then) = (self.installation.resolve(consumer), later.resolve(consumer));
            let secret = |standing| match standing {
                Standing::Copy(id) => self.copy(id).and_then(|copy| copy.fingerprint()),
                _ => None,
            };
            let same = match (now.standing, then.standing) {
                (Standing::Copy(_), Standing::Copy(_)) => {
                    secret(now.standing) == secret(then.standing)
                }
                (now, then) => now == then,
            };
            if same {
                continue;
            }
            for standing in [now.standing, then.standing] {
                if let Standing::Copy(id) = standing {
                    locations.extend(self.copy(id));
                }
            }
            changes.push(format!(
                "{} would take {} instead of {}",
                consumer.name,
                self.in_words(then.standing),
                self.in_words(now.standing)
            ));
        }
        if changes.is_empty() {
            return;
        }
        changes.dedup();
        locations.sort_by_key(|location| location.id);
        locations.dedup_by_key(|location| location.id);
        let message = format!(
            "an upgrade from {} to {} or later changes which copy wins: {}",
            self.installation.version,
            era::CONFIG_FIRST,
            changes.join("; ")
        );
        decision
            .finding(Severity::Warning, "upgrade-changes-winner", message)
            .at(locations)
            .remedy(format!(
                "before the upgrade: precedent apply, then precedent explain --as-of {}",
                Version::NEWEST
            ));
    }

    fn copy(&self, id: u32) -> Option<Location<'s>> {
        self.installation.snapshot.location(id)
    }

    fn in_words(&self, standing: Standing) -> String {
        let label = |id| self.copy(id).map_or_else(String::new, |copy| copy.label().to_owned());
        match standing {
            Standing::Copy(id) => label(id),
            Standing::Nothing => "nothing".to_owned(),
            Standing::Unresolved(id) => format!("{} (and fail, for it leads nowhere)", label(id)),
            Standing::Generated => "one that it makes up".to_owned(),
            Standing::Invalid => "nothing (it refuses to start)".to_owned(),
        }
    }

    /// Hole 3: only `gateway.remote.token` is set: which server accepts it depends on the release.
    fn only_remote(&self, decision: &mut Decision) {
        let of = Credential::Token;
        let Some(remote) = self.location(of.remote()).filter(|remote| remote.is_plain()) else {
            return;
        };
        if self.installation.mode != Mode::Local
            || self.server_copy(of).is_some()
            || self.location(of.auth()).is_none_or(|auth| auth.reference().is_some())
        {
            return;
        }
        let message = if era::starts_on_remote(self.installation.version) {
            format!(
                "{} is the only copy: the server starts on it, but is not sure to accept it; it is meant for clients",
                remote.label()
            )
        } else {
            format!(
                "{} is the only copy, and the server does not look at it: it makes up a token that no client knows",
                remote.label()
            )
        };
        decision
            .finding(Severity::Error, "only-remote-token", message)
            .at([remote])
            .remedy("precedent apply keeps it as gateway.auth.token");
    }

    /// Hole 4: `${NAME}` without that variable.
    fn missing_variables(&self, decision: &mut Decision) {
        for name in [Credential::Token, Credential::Password]
            .into_iter()
            .flat_map(|of| [of.auth(), of.remote()])
        {
            let Some(location) = self.location(name) else { continue };
            let Some(reference) = location.reference() else { continue };
            if reference.kind == ReferenceKind::Unknown {
                let message = format!(
                    "{} is a reference, or a text with one in it, of a form that is not followed here: what its readers make of it depends on the release, and server and clients may differ",
                    location.label()
                );
                decision
                    .finding(Severity::Warning, "reference-unknown", message)
                    .at([location])
                    .remedy("keep the whole secret in one variable, and refer to it as ${NAME}");
            }
            if reference.kind != ReferenceKind::Environment {
                continue;
            }
            let seen = self.installation.snapshot.location_attribute(location, "resolved-in");
            // A credential's own variable is looked at place by place.
            if let Some(seen) = seen.filter(|_| !is_own(reference.target)) {
                self.seen_by_one(location, reference.target, seen, decision);
                continue;
            }
            let nowhere = reference.resolved.is_none() && !self.is_supplied(reference.target);
            let found = if nowhere {
                "is set nowhere here"
            } else if self.stops_server(location) {
                "the server does not find"
            } else {
                continue;
            };
            let consequence = if self.installation.version < Version::KNOWS_REFERENCES {
                "the configuration is refused"
            } else if self.installation.version < STARTS_WITHOUT_VARIABLE {
                "the server refuses to start"
            } else {
                "the server starts with a random token that nobody knows"
            };
            let message = format!(
                "{} refers to {}, which {found}: {consequence}",
                location.label(),
                reference.target
            );
            decision.finding(Severity::Error, "variable-missing", message).at([location]).remedy(
                format!("set {} in the state directory's .env (mode 0600)", reference.target),
            );
        }
    }

    /// A reference to a variable that only the service, or only this shell, has.
    fn seen_by_one(
        &self,
        location: Location<'s>,
        variable: &str,
        seen: &str,
        decision: &mut Decision,
    ) {
        let message = if seen == "process" {
            format!(
                "{} refers to {variable}, which this shell has and the service does not: the server finds nothing there",
                location.label()
            )
        } else {
            format!(
                "{} refers to {variable}, which the service has and this shell does not: programs that are started here find nothing there",
                location.label()
            )
        };
        decision.finding(Severity::Error, "variable-missing", message).at([location]).remedy(
            format!(
                "set {variable} in the state directory's .env (mode 0600), which all of them read"
            ),
        );
    }

    /// Whether the server fails at a reference, whatever it leads to for others.
    fn stops_server(&self, location: Location<'s>) -> bool {
        let mut consumers = self.installation.snapshot.consumers();
        consumers.any(|consumer| {
            consumer.name == "gateway"
                && self.installation.resolve(consumer).standing == Standing::Unresolved(location.id)
        })
    }

    /// Whether a service sets the variable, where that is a credential's own.
    fn is_supplied(&self, variable: &str) -> bool {
        let of =
            [Credential::Token, Credential::Password].into_iter().find(|of| of.key() == variable);
        let service = self.installation.service(Program::Gateway);
        of.zip(service).is_some_and(|(of, service)| {
            self.installation.defined_by(service, of).any(|place| place.is_plain())
        })
    }

    /// Hole 5: `secrets reload` gives clients the new token and leaves the server the old one.
    fn reload(&self, decision: &mut Decision) {
        let Some(auth) = self.location(Credential::Token.auth()) else { return };
        let lives_elsewhere = auth.reference().is_some_and(|reference| {
            !matches!(reference.kind, ReferenceKind::Environment | ReferenceKind::Unknown)
        });
        if !lives_elsewhere || self.installation.version >= era::CONFIG_FIRST {
            return;
        }
        let message = format!(
            "{} is kept elsewhere, and on {} `openclaw secrets reload` gives the new one to clients only: the server keeps the old one",
            auth.label(),
            self.installation.version
        );
        decision
            .finding(Severity::Info, "reload-splits", message)
            .at([auth])
            .remedy("after a change restart the gateway: openclaw gateway restart");
    }

    /// Hole 7: a repair without a terminal mints over a token that only the unit has.
    fn repair(&self, decision: &mut Decision) {
        let of = Credential::Token;
        let unset = self.location(of.auth()).is_some_and(|auth| auth.is_unset());
        let needed = unset
            && self.installation.mode == Mode::Local
            && self.installation.auth_mode() == AuthMode::Token;
        let Some(service) = self.installation.service(Program::Gateway).filter(|_| needed) else {
            return;
        };
        let mut embedded = self.installation.defined_by(service, of);
        let Some(copy) = embedded.find(|copy| self.installation.is_embedded(*copy)) else { return };
        let consequence = if self.installation.version < REPAIR_MINTS_UNTIL {
            "`openclaw doctor --fix` would make a new token and lock every client out"
        } else {
            "`openclaw gateway install --force` would drop it without keeping it"
        };
        let message = format!("{} is the only copy of the token: {consequence}", copy.label());
        decision
            .finding(Severity::Warning, "repair-would-lose-token", message)
            .at([copy])
            .remedy("precedent apply keeps it in the configuration first");
    }

    /// Hole 8: nobody sees more than one state directory at once.
    fn other_configurations(&self, decision: &mut Decision) {
        let all: Vec<&str> = self.fact("configurations").unwrap_or_default().lines().collect();
        if all.len() < 2 {
            return;
        }
        let message = format!(
            "there are {} configurations of OpenClaw here, and each program reads the one that its own environment names: {}",
            all.len(),
            all.join(", ")
        );
        decision.finding(Severity::Info, "several-configurations", message).remedy(
            "look at another: OPENCLAW_STATE_DIR=DIRECTORY precedent explain; remove those that nobody uses",
        );
    }

    /// Hole 9: OAuth logins that have expired show as well as long as they could be renewed; and files of
    /// them are not to be copied where a database keeps them.
    fn logins(&self, decision: &mut Decision) {
        let Some(told) = self.fact("oauth-expiries") else { return };
        if self.installation.version >= LOGINS_IN_DATABASE {
            let files: std::collections::BTreeSet<&str> =
                told.lines().filter_map(|line| Some(line.split_once('#')?.0)).collect();
            let message = format!(
                "{} holds logins in a file, which {} keeps in a database: the leftover blocks its providers, and must not be copied to another node",
                files.into_iter().collect::<Vec<_>>().join(", "),
                self.installation.version
            );
            decision
                .finding(Severity::Warning, "login-file-left-over", message)
                .remedy("openclaw doctor --fix takes it into the database");
            return;
        }
        let now = self.installation.snapshot.now().saturating_mul(1000);
        let expired: Vec<&str> = told
            .lines()
            .filter_map(|line| {
                let (profile, time) = line.split_once('#')?.1.rsplit_once('=')?;
                (time.parse::<u64>().ok()? <= now).then_some(profile)
            })
            .collect();
        if expired.is_empty() {
            return;
        }
        let message = format!(
            "the logins {} have expired: after a restart they work only if they can be renewed, which OpenClaw does not try before; a renewal token that serves once must not be copied",
            expired.join(", ")
        );
        decision
            .finding(Severity::Warning, "login-expired", message)
            .remedy("openclaw models auth login, before the restart");
    }

    /// Hole 10: the old secret ends when the new one is read.
    fn rotation(&self, decision: &mut Decision) {
        if self.installation.snapshot.phase() != Phase::Rotate {
            return;
        }
        let by_hand = matches!(self.fact("gateway.reload.mode"), Some("off" | "hot"));
        let in_configuration = [Credential::Token, Credential::Password]
            .into_iter()
            .filter_map(|of| self.location(of.auth()))
            .any(|auth| auth.is_plain());
        let effect = if !in_configuration {
            "the server takes a changed variable only when it is restarted"
        } else if by_hand {
            "gateway.reload.mode keeps the server from taking it by itself"
        } else if self.installation.version >= era::CONFIG_FIRST {
            "the server takes a changed configuration within seconds, and closes the connections that used the old secret"
        } else {
            "the server restarts by itself when its configuration changes"
        };
        let message = format!("there is no time in which both secrets hold: {effect}");
        decision
            .finding(Severity::Info, "rotation-without-grace", message)
            .remedy("clients on other machines need the new one at once, as their gateway.remote.token or password");
    }

    /// A unit that belongs to another state directory is not judged by this configuration.
    fn other_service(&self, decision: &mut Decision) {
        if !self.installation.is_of_another() {
            return;
        }
        let named = self.fact("service-config-path").or(self.fact("service-state-dir"));
        let message = format!(
            "the gateway's unit belongs to {}, not to this configuration: it is left alone",
            named.unwrap_or("the usual state directory")
        );
        let remedy = match named {
            Some(named) => {
                format!("look at it with its own: OPENCLAW_STATE_DIR={named} precedent explain")
            }
            None => "look at it without OPENCLAW_STATE_DIR and OPENCLAW_CONFIG_PATH".to_owned(),
        };
        decision.finding(Severity::Info, "service-of-another", message).remedy(remedy);
    }

    /// The copy that the server takes, where it takes one of its own places.
    fn server_copy(&self, of: Credential) -> Option<Location<'s>> {
        let server = self.installation.snapshot.consumer_of("gateway", of.name())?;
        match self.installation.resolve(server).standing {
            Standing::Copy(id) => self.copy(id).filter(|copy| copy.name != of.remote()),
            _ => None,
        }
    }
}

/// Whether a variable is one of the credentials' own.
fn is_own(variable: &str) -> bool {
    [Credential::Token, Credential::Password].iter().any(|of| of.key() == variable)
}

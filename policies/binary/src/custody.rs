//! One credential: which copy is the truth, and what becomes of the others.
//!
//! | module | what |
//! |---|---|
//! | `followers` | the copies that follow the truth, and those that can only be told |
//! | `services` | the copies in the definition of a service |

mod followers;
mod services;

use precedent_guest::{Consumer, Decision, Location, ReferenceKind, Refusal, Severity};
use precedent_openclaw::{Credential, Installation, Mode, Program, Service};

use crate::{rotation, settings::Settings};

/// A credential in the policy's keeping.
pub(crate) struct Custody<'i, 's> {
    installation: &'i Installation<'s>,
    credential: Credential,
    settings: Settings,
    /// The services that run the gateway: one, where all is well.
    services: Vec<Service>,
}

/// Where the truth is, and where it will be once the plan is applied.
#[derive(Clone, Copy)]
struct Truth<'s> {
    from: Location<'s>,
    to: Location<'s>,
}

impl<'i, 's> Custody<'i, 's> {
    pub(crate) fn new(
        installation: &'i Installation<'s>,
        credential: Credential,
        settings: Settings,
    ) -> Self {
        let services = installation.services(Program::Gateway);
        Self { installation, credential, settings, services }
    }

    /// Keeps every copy in step with the truth, which it gives back; none where there is nothing for
    /// this policy to say. A configuration of which a part cannot be read is not touched at all; the
    /// host's own finding names file, line and column.
    ///
    /// # Errors
    ///
    /// Where a new secret was brought and has nowhere to go.
    pub(crate) fn keep(
        &self,
        in_use: bool,
        decision: &mut Decision,
    ) -> Result<Option<Location<'s>>, Refusal> {
        if !self.installation.is_readable() {
            return Ok(None);
        }
        if self.installation.is_ambiguous() {
            self.tell_ambiguous(decision);
            return Ok(None);
        }
        let truth = match rotation::incoming(self.installation, self.credential) {
            Some(new) => Some(self.renewed(new, decision)?),
            None if in_use => self.truth(decision),
            None => None,
        };
        if self.installation.mode == Mode::Remote {
            // What is here for a gateway of this machine's own is not the other gateway's to judge.
            if let Some(truth) = truth {
                self.node_services(truth, decision);
            }
            return Ok(truth.map(|truth| truth.from));
        }
        if let Some(truth) = truth.filter(|truth| truth.from.is_expired()) {
            self.tell_expired(truth.from, decision);
        }
        Ok(match truth {
            Some(truth) => {
                self.follow(truth, decision);
                self.empty_service(Some(truth), decision);
                self.node_services(truth, decision);
                self.tell_stale_variables(truth, decision);
                Some(truth.from)
            }
            None => {
                self.empty_service(None, decision);
                None
            }
        })
    }

    /// Writes a new secret where the truth is kept.
    fn renewed(&self, new: Location<'s>, decision: &mut Decision) -> Result<Truth<'s>, Refusal> {
        let missing = || Refusal {
            code: "nowhere-to-write".to_owned(),
            reason: format!("there is no place for {} here", self.credential.name()),
            remedy: None,
            locations: Vec::new(),
        };
        let authority = self.installation.location(self.credential.auth()).ok_or_else(missing)?;
        let own = authority.reference().is_none_or(|reference| {
            reference.kind == ReferenceKind::Environment
                && reference.target == self.credential.key()
        });
        // A file of variables that programs read for themselves, wherever they run; one that only the
        // service reads is the installer's, and one of a folder where somebody works is theirs.
        let is_ours = |file: &Location<'_>| {
            let ours = ["dotenv.", "gateway-env.", "config."];
            !file.name.contains('@') && ours.iter().any(|own| file.name.starts_with(own))
        };
        let file = self.lasting().filter(|file| is_ours(file) && own);
        let to = match file {
            _ if authority.is_plain() => authority,
            Some(file) => file,
            None if authority.reference().is_none() => authority,
            None => return Err(rotation::kept_elsewhere(authority)),
        };
        // Nothing else may change where this cannot.
        if !to.writable && !to.same_secret(&new) {
            return Err(rotation::read_only(to));
        }
        decision.write_unless_equal(
            new,
            to,
            format!("{} takes the new {}", to.label(), self.noun()),
        );
        rotation::steps(self.installation, self.credential, self.settings, to, decision);
        Ok(Truth { from: new, to })
    }

    fn tell_ambiguous(&self, decision: &mut Decision) {
        if self.credential == Credential::Password {
            return;
        }
        let message = "gateway.auth.token and gateway.auth.password are both set and gateway.auth.mode is not: OpenClaw does not start like that";
        decision
            .finding(Severity::Error, "auth-ambiguous", message)
            .at([Credential::Token, Credential::Password]
                .into_iter()
                .filter_map(|of| self.installation.location(of.auth())))
            .remedy("openclaw config set gateway.auth.mode token (or password)");
    }

    /// Finds the truth, and writes it where it belongs if it is not there yet.
    fn truth(&self, decision: &mut Decision) -> Option<Truth<'s>> {
        let authority = match self.installation.mode {
            Mode::Local => self.credential.auth(),
            // A client of another gateway: what that gateway wants stands here, and nothing that is
            // found on this machine takes its place.
            Mode::Remote => self.credential.remote(),
        };
        let authority = self.installation.location(authority)?;
        if authority.is_plain() || authority.reference().is_some() {
            return Some(Truth { from: authority, to: authority });
        }
        if self.installation.mode == Mode::Remote {
            return None;
        }
        if let Some(lasting) = self.lasting() {
            if lasting.name.contains('@') {
                self.tell_only_for_service(lasting, authority, decision);
            }
            return Some(Truth { from: lasting, to: lasting });
        }
        match self.candidates().next() {
            Some(expired) if expired.is_expired() => {
                self.tell_expired(expired, decision);
                None
            }
            Some(from) if self.services.is_empty() && from.name == self.credential.env() => {
                // Without a service the shell's own variable is what server and clients share.
                Some(Truth { from, to: from })
            }
            Some(from) if authority.writable => {
                let reason = format!(
                    "{} is kept in {}, where every program looks",
                    from.label(),
                    authority.label()
                );
                decision.write_unless_equal(from, authority, reason);
                Some(Truth { from, to: authority })
            }
            Some(from) => {
                let message = format!(
                    "{} should be kept in {}, but the configuration does not exist or cannot be written here",
                    from.label(),
                    authority.label()
                );
                decision
                    .finding(Severity::Error, "target-read-only", message)
                    .at([from, authority])
                    .remedy("openclaw config set gateway.mode local makes it; see to it that this user may write it");
                None
            }
            None => {
                self.mint(authority, decision);
                None
            }
        }
    }

    /// The copy that the server gets and keeps getting, where that is not in the configuration's own
    /// place for it nor in the definition of its service: a file of variables.
    fn lasting(&self) -> Option<Location<'s>> {
        let server = self.server()?;
        let places = self.installation.environment(server, Program::Gateway, self.credential);
        let first = places.into_iter().find(|place| !place.is_unset())?;
        let lasts = first.is_plain()
            && first.name != self.credential.env()
            && !self.services.iter().any(|own| self.installation.is_embedded_in(Some(*own), first));
        lasts.then_some(first)
    }

    /// The gateway as a consumer of this credential.
    fn server(&self) -> Option<Consumer<'s>> {
        self.installation.snapshot.consumer_of("gateway", self.credential.name())
    }

    /// Usable copies anywhere, the one to keep first: what the operator's shell says, then what the
    /// service has, then files, then what clients and nodes hold.
    fn candidates(&self) -> impl Iterator<Item = Location<'s>> {
        let installation = self.installation;
        let named =
            |name: &str| installation.location(&format!("{name}.{}", self.credential.name()));
        let embedded = self.services.iter().flat_map(|service| {
            let in_force = |location: &Location<'s>| self.is_in_force(*location);
            let all: Vec<_> = installation.defined_by(*service, self.credential).collect();
            let (first, last): (Vec<_>, Vec<_>) = all.into_iter().partition(in_force);
            first.into_iter().chain(last)
        });
        let all: Vec<Location<'s>> = installation
            .location(self.credential.env())
            .into_iter()
            .chain(embedded)
            .chain(["dotenv", "gateway-env"].into_iter().filter_map(named))
            .chain(installation.location(self.credential.remote()))
            .chain(self.node_copies())
            .collect();
        // Whatever else there is comes last: better any usable copy than a new one.
        let rest = installation.snapshot.locations().filter(|location| {
            let of = installation.snapshot.credential_name(location.credential);
            of == self.credential.name() && !location.name.starts_with("config.auth-")
        });
        let rest: Vec<Location<'s>> = rest.collect();
        // One that has expired is better than none, to be told of.
        let usable = all.into_iter().chain(rest).filter(Location::is_plain);
        let (expired, valid): (Vec<_>, Vec<_>) = usable.partition(Location::is_expired);
        valid.into_iter().chain(expired)
    }

    /// A truth that is no longer valid is copied nowhere.
    fn tell_expired(&self, truth: Location<'s>, decision: &mut Decision) {
        let message = format!("{} has expired; it is copied nowhere", truth.label());
        decision
            .finding(Severity::Error, "source-expired", message)
            .at([truth])
            .remedy(format!("precedent rotate --credential {}", self.credential.name()));
    }

    /// A token that only the service gets: its clients have none.
    fn tell_only_for_service(
        &self,
        copy: Location<'s>,
        authority: Location<'s>,
        decision: &mut Decision,
    ) {
        if self.credential == Credential::Password {
            return;
        }
        let message = format!(
            "{} is read by the service alone: programs that a shell starts have no token",
            copy.label()
        );
        decision
            .finding(Severity::Warning, "token-only-for-service", message)
            .at([copy, authority])
            .remedy("precedent rotate keeps a new one in gateway.auth.token; or put this one into the state directory's .env");
    }

    fn node_copies(&self) -> Vec<Location<'s>> {
        let node = self.installation.service(Program::NodeHost);
        node.into_iter()
            .flat_map(|node| self.installation.defined_by(node, self.credential))
            .filter(Location::is_plain)
            .collect()
    }

    /// Makes a new token where there is none anywhere: the server would make one up at every start,
    /// which no client knows.
    fn mint(&self, authority: Location<'s>, decision: &mut Decision) {
        if self.credential == Credential::Password {
            let message = "clients authenticate with a password here, but none is set anywhere: OpenClaw does not start like that";
            decision
                .finding(Severity::Error, "password-missing", message)
                .at([authority])
                .remedy("openclaw config set gateway.auth.password, or OPENCLAW_GATEWAY_PASSWORD in the state directory's .env");
            return;
        }
        let unseen = self.unseen();
        if let Some(what) = unseen.first() {
            let message = format!(
                "whether there is a token is not known: {what}; none is made, for that would lock out whoever has it"
            );
            decision
                .finding(Severity::Error, "token-not-known", message)
                .at([authority])
                .remedy("make it readable for this user, or say which: openclaw config set gateway.auth.token");
            return;
        }
        if self.settings.mint && authority.writable {
            decision.mint(authority, "no token is set anywhere; the server would make one up at every start that no client knows");
            return;
        }
        // Where there is neither a configuration nor a service, there is no gateway.
        let absent = self.installation.snapshot.location_attribute(authority, "file");
        if absent == Some("absent") && self.services.is_empty() {
            return;
        }
        let message = "no token is set anywhere: the server makes one up at every start, which no client knows";
        decision
            .finding(Severity::Warning, "token-missing", message)
            .at([authority])
            .remedy("precedent rotate, or openclaw config set gateway.auth.token");
    }

    /// What may hold a token that could not be seen, or not copied.
    fn unseen(&self) -> Vec<String> {
        let snapshot = self.installation.snapshot;
        let mut unseen: Vec<String> = snapshot
            .locations()
            .filter(|l| snapshot.credential_name(l.credential) == self.credential.name())
            .filter_map(|location| {
                if location.is_unreadable() {
                    Some(format!("{} cannot be read", location.label()))
                } else if location.reference().is_some() {
                    Some(format!("{} refers to one", location.label()))
                } else {
                    None
                }
            })
            .collect();
        if snapshot.fact("service-token-argument").is_some() {
            unseen.push("the unit hands one over as --token".to_owned());
        }
        unseen
    }

    /// Whether systemd would take the variable from there.
    fn is_in_force(&self, location: Location<'s>) -> bool {
        self.installation.snapshot.location_attribute(location, "in-force") != Some("no")
    }

    fn noun(&self) -> &'static str {
        match self.credential {
            Credential::Token => "token",
            Credential::Password => "password",
        }
    }
}

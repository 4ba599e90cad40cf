//! One credential: which copy is the truth, and what becomes of the others.

use precedent_guest::{Consumer, Decision, Location, Presence, ReferenceKind, Refusal, Severity};
use precedent_openclaw::{Credential, Installation, Mode, Program, Service};

use crate::{
    rotation,
    settings::{NodeServices, Settings},
};

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
        // A file of variables that programs read for themselves; one that only the unit names is the
        // installer's.
        let file = self.lasting().filter(|file| !file.name.contains('@') && own);
        let to = match file {
            _ if authority.is_plain() => authority,
            Some(file) => file,
            None if authority.reference().is_none() => authority,
            None => return Err(rotation::kept_elsewhere(authority)),
        };
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
        let snapshot = self.installation.snapshot;
        snapshot.consumers().find(|consumer| {
            consumer.name == "gateway"
                && snapshot.credential_name(consumer.credential) == self.credential.name()
        })
    }

    /// Usable copies anywhere, the one to keep first: what the operator's shell says, then what the
    /// service has, then files, then what clients and nodes hold.
    fn candidates(&self) -> impl Iterator<Item = Location<'s>> {
        let installation = self.installation;
        let named =
            |name: &str| installation.location(&format!("{name}.{}", self.credential.name()));
        let embedded = self.services.iter().flat_map(|service| {
            let in_force = move |location: &Location<'s>| {
                installation.snapshot.location_attribute(*location, "in-force") != Some("no")
            };
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
        all.into_iter().chain(rest).filter(Location::is_plain)
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

    /// Copies in files that follow the truth where they differ.
    fn follow(&self, truth: Truth<'s>, decision: &mut Decision) {
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
        // A stale copy of another gateway's is told, and nothing more can be known.
        if !truth.from.is_plain() {
            if truth.from.fingerprint().is_some() {
                let message = format!(
                    "{label} holds another {} than {source} leads to; it is left, for {source} is a reference and no secret is copied out of one",
                    self.noun()
                );
                decision
                    .finding(Severity::Warning, "copy-differs", message)
                    .at([copy, truth.from])
                    .remedy(format!("openclaw config unset {label}, or let it refer to the same"));
            }
            return;
        }
        if !copy.writable {
            let message = format!("{label} should follow {source}, but cannot be written here");
            decision
                .finding(Severity::Error, "target-read-only", message)
                .at([copy])
                .remedy("change the copy where it is made");
            return;
        }
        decision.write_unless_equal(truth.from, copy, format!("{label} follows {source}"));
    }

    /// Takes the copies out of the service's definition. Where one is all that a reference leads to,
    /// it stays: without it the server would be locked out itself.
    fn empty_service(&self, truth: Option<Truth<'s>>, decision: &mut Decision) {
        for service in &self.services {
            self.empty_one(*service, truth, decision);
        }
    }

    fn empty_one(&self, service: Service, truth: Option<Truth<'s>>, decision: &mut Decision) {
        let noun = self.noun();
        let copies: Vec<Location<'s>> =
            self.installation.defined_by(service, self.credential).collect();
        for copy in copies.iter().copied().filter(|copy| copy.is_plain()) {
            let differs = truth.is_some_and(|truth| {
                truth.from.fingerprint().is_some() && !copy.same_secret(&truth.from)
            });
            if !self.installation.is_embedded(copy) {
                if differs {
                    self.tell_drift(service, copy, decision);
                }
                continue;
            }
            let message = format!(
                "{} holds the {noun} in clear: everybody who may read the unit has it, and it stays when the {noun} is changed",
                copy.label()
            );
            decision
                .finding(Severity::Warning, format!("{}-embedded", self.credential.name()), message)
                .at([copy])
                .remedy(match truth {
                    Some(_) => "precedent apply".to_owned(),
                    None => format!(
                        "nothing says that it is kept anywhere else, so it is left; if nobody needs it, remove it, then {}",
                        service.reload
                    ),
                });
            if let Some(truth) = truth.filter(|_| differs) {
                let message = format!(
                    "{} holds another {noun} than {}: programs that the service starts present the old one",
                    copy.label(),
                    truth.from.label()
                );
                decision
                    .finding(
                        Severity::Warning,
                        format!("{}-mismatch", self.credential.name()),
                        message,
                    )
                    .at([copy, truth.from])
                    .remedy("precedent apply");
            }
            self.empty(service, copy, truth, decision);
        }
    }

    fn tell_drift(&self, service: Service, copy: Location<'s>, decision: &mut Decision) {
        let message = format!(
            "{} holds another {} than the configuration; the file is the installer's, and is left",
            copy.label(),
            self.noun()
        );
        decision
            .finding(Severity::Warning, format!("{}-drift", self.credential.name()), message)
            .at([copy])
            .remedy(format!("openclaw gateway install --force, then {}", service.restart));
    }

    fn empty(
        &self,
        service: Service,
        copy: Location<'s>,
        truth: Option<Truth<'s>>,
        decision: &mut Decision,
    ) {
        let label = copy.label();
        let Some(truth) = truth else {
            // Nothing says that this secret is kept anywhere else.
            return;
        };
        if !copy.writable {
            let message = format!("{label} should go, but cannot be written here");
            decision
                .finding(Severity::Error, "target-read-only", message)
                .at([copy])
                .remedy("run precedent apply as the user that may write it");
            return;
        }
        if truth.to.is_plain() || truth.to.id != truth.from.id {
            let reason = format!(
                "{} is kept in {}, so the unit need not hold it",
                self.noun(),
                truth.to.label()
            );
            decision.remove(copy, self.with_reload(service, reason));
            return;
        }
        match self.supply_without(service, copy, truth) {
            Supply::Enough => {
                let reason = format!("{} does not need it", truth.to.label());
                decision.remove(copy, self.with_reload(service, reason));
            }
            Supply::Into(file) => {
                let reason = format!(
                    "{} refers to {}, which only the unit sets; it moves to a file that is not read by everybody",
                    truth.to.label(),
                    self.credential.key()
                );
                decision.write_unless_equal(copy, file, reason.clone());
                decision.remove(copy, self.with_reload(service, reason));
            }
            Supply::None => {
                let message = format!(
                    "{} refers to {}, which only the unit sets: it is left there, for without it the server would have none",
                    truth.to.label(),
                    self.credential.key()
                );
                decision
                    .finding(Severity::Warning, "reference-needs-unit", message)
                    .at([copy, truth.to])
                    .remedy("make an empty ~/.openclaw/.env (mode 0600), then precedent apply moves it there");
            }
        }
    }

    /// Whether a reference in the configuration leads somewhere without the unit's own copies.
    fn supply_without(&self, service: Service, copy: Location<'s>, truth: Truth<'s>) -> Supply<'s> {
        let own = truth.to.reference().is_some_and(|reference| {
            reference.kind == ReferenceKind::Environment
                && reference.target == self.credential.key()
        });
        if !own {
            return Supply::Enough;
        }
        let name =
            |file: &str| self.installation.location(&format!("{file}.{}", self.credential.name()));
        let files = || ["dotenv", "gateway-env"].into_iter().filter_map(name);
        let mut defined = self.installation.defined_by(service, self.credential);
        if defined.any(|l| l.is_plain() && !self.installation.is_embedded(l)) {
            return Supply::Enough;
        }
        // The unit's own wins over a file's; so a file that holds another would change the server's.
        match files().find(|file| file.presence != Presence::Absent) {
            Some(file) if file.same_secret(&copy) => Supply::Enough,
            Some(file) if file.writable => Supply::Into(file),
            Some(_) => Supply::None,
            None => files().find(|file| file.writable).map_or(Supply::None, Supply::Into),
        }
    }

    fn with_reload(&self, service: Service, reason: String) -> String {
        format!("{reason}; then {}", service.reload)
    }

    fn node_services(&self, truth: Truth<'s>, decision: &mut Decision) {
        let Some(node) = self.installation.service(Program::NodeHost) else { return };
        let noun = self.noun();
        // What a node presents to a gateway elsewhere is not ours to judge.
        let host = self.installation.snapshot.fact("node-gateway-host");
        let is_here =
            |host| matches!(host, "127.0.0.1" | "localhost" | "::1" | "[::1]" | "0.0.0.0");
        if self.installation.mode == Mode::Local && host.is_some_and(|host| !is_here(host)) {
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
            let writable = copy.writable
                && self.installation.snapshot.location_attribute(copy, "in-force") != Some("no");
            if follows && truth.from.is_plain() && writable {
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
    fn tell_stale_variables(&self, truth: Truth<'s>, decision: &mut Decision) {
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

    fn noun(&self) -> &'static str {
        match self.credential {
            Credential::Token => "token",
            Credential::Password => "password",
        }
    }
}

/// What a reference leads to once the unit holds nothing.
enum Supply<'s> {
    /// Something else.
    Enough,
    /// Nothing yet, but there is a file for it.
    Into(Location<'s>),
    /// Nothing.
    None,
}

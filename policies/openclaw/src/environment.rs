//! Where a program's environment comes from: the process, files that it reads, or a service.
//!
//! A variable that is set is never replaced by a file's, even where it is empty; a blank one is
//! replaced by the configuration's own `env`.

use precedent_guest::{Consumer, Location, Phase, Presence};

use crate::{Credential, Installation, Program, Version};

/// Since then no `OPENCLAW_*` is taken from a `.env` in the working directory.
const FILTERS_WORKING_DIRECTORY: Version = Version(2026, 4, 0);
/// Since then a service takes the variables that its unit calls managed from `.env`, and drops them
/// where that has none.
const MANAGES_VARIABLES: Version = Version(2026, 8, 2);

/// What starts a program without a shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// How it is restarted.
    pub restart: &'static str,
    /// How its manager is told that its definition was edited.
    pub reload: &'static str,
    /// The declared names of its own variables, without the credential; the first is that of the
    /// definition itself.
    definitions: &'static [&'static str],
}

const GATEWAY: &[Service] = &[
    Service {
        restart: "openclaw gateway restart",
        reload: "systemctl --user daemon-reload",
        definitions: &["unit"],
    },
    Service {
        restart: "systemctl restart openclaw-gateway.service",
        reload: "systemctl daemon-reload",
        definitions: &["system-unit"],
    },
    Service {
        restart: "openclaw gateway restart",
        // Its own `kickstart` would start it with the variables that launchd has read already.
        reload: "launchctl bootout and launchctl bootstrap of the launch agent",
        definitions: &["plist", "service-env"],
    },
];

const NODE: &[Service] = &[
    Service {
        restart: "openclaw node restart",
        reload: "systemctl --user daemon-reload",
        definitions: &["node-unit"],
    },
    Service {
        restart: "openclaw node restart",
        reload: "launchctl bootout and launchctl bootstrap of the launch agent",
        definitions: &["node-plist", "node-service-env"],
    },
];

/// A place that each credential has: of the token, and of the password.
#[derive(Clone, Copy)]
struct OfEach(&'static str, &'static str);

const WORKING_DOTENV: OfEach =
    OfEach("working-dotenv.gateway-token", "working-dotenv.gateway-password");
const DOTENV: OfEach = OfEach("dotenv.gateway-token", "dotenv.gateway-password");
const GATEWAY_ENV: OfEach = OfEach("gateway-env.gateway-token", "gateway-env.gateway-password");
const CONFIG_ENV: OfEach = OfEach("config.env-token", "config.env-password");
const CONFIG_ENV_VARS: OfEach = OfEach("config.env-vars-token", "config.env-vars-password");

/// The definition that sets a credential's variable, by the declared name of the place.
fn definition_of(name: &str, credential: Credential) -> Option<&str> {
    name.strip_suffix(credential.name())?.strip_suffix('.')
}

/// Whether a place is in the definition of a service.
pub(crate) fn is_defined(location: Location<'_>) -> bool {
    let name = location.declared_name();
    let of = [Credential::Token, Credential::Password].into_iter();
    let mut definitions = of.filter_map(|of| definition_of(name, of));
    let mut all = GATEWAY.iter().chain(NODE).map(|service| service.definitions);
    definitions.any(|definition| all.any(|known| known.contains(&definition)))
}

impl<'s> Installation<'s> {
    /// The service that is defined for a program; none where only a shell starts it.
    #[must_use]
    pub fn service(&self, program: Program) -> Option<Service> {
        match program {
            Program::Gateway => self.known().gateway,
            Program::NodeHost => self.known().node,
            _ => None,
        }
    }

    /// All services that are defined for a program: there should be one. A definition that names
    /// another state directory is another installation's, and none of these.
    #[must_use]
    pub fn services(&self, program: Program) -> Vec<Service> {
        let services = match program {
            Program::Gateway if self.is_of_another() => return Vec::new(),
            Program::Gateway => GATEWAY,
            Program::NodeHost => NODE,
            _ => return Vec::new(),
        };
        // A drop-in without a unit starts nothing.
        let is_there = |service: &Service| {
            let mut own = self.known().defined.iter().filter(|own| {
                definition_of(own.name, Credential::Token)
                    .is_some_and(|definition| service.definitions.contains(&definition))
            });
            own.any(|own| self.snapshot.location_attribute(*own, "file") != Some("absent"))
        };
        services.iter().copied().filter(is_there).collect()
    }

    /// Whether the gateway's unit names another state directory, or another configuration, than the
    /// one that was observed: what it embeds is then not this configuration's.
    #[must_use]
    pub fn is_of_another(&self) -> bool {
        let fact = |name: &str| self.snapshot.fact(name).map(|path| path.trim_end_matches('/'));
        let Some(observed) = fact("config-path") else { return false };
        let folder = observed.rsplit_once('/').map(|(folder, _)| folder);
        if let Some(named) = fact("service-config-path") {
            return named != observed;
        }
        if let Some(named) = fact("service-state-dir") {
            return Some(named) != folder;
        }
        // It names none, so it takes the usual one; this process was told another.
        let told = fact("state-dir").is_some() || fact("config-variable").is_some();
        told && !self.in_service
            && fact("usual-state-dir").is_some_and(|usual| Some(usual) != folder)
    }

    /// The service that starts a program, with variables of its own: none where this process is that
    /// service, for then its variables were observed as they are.
    pub(crate) fn starter(&self, program: Program) -> Option<Service> {
        self.service(program).filter(|_| program != Program::Gateway || !self.in_service)
    }

    /// Whether this process runs inside the gateway's service just before it starts: its variables are
    /// then the gateway's alone, and nobody else's are known.
    fn is_step_before_start(&self) -> bool {
        self.in_service && matches!(self.snapshot.phase(), Phase::Start | Phase::Restart)
    }

    /// Every place in a service's definition that sets, or could set, a credential's variable.
    pub fn defined_by(
        &self,
        service: Service,
        credential: Credential,
    ) -> impl Iterator<Item = Location<'s>> {
        let defined = self.known().defined.iter().copied();
        defined.filter(move |location| {
            definition_of(location.declared_name(), credential)
                .is_some_and(|definition| service.definitions.contains(&definition))
        })
    }

    /// Whether a place of a service's definition holds the variable in the definition itself, not
    /// in a file of its own that it only names.
    #[must_use]
    pub fn is_embedded(&self, location: Location<'s>) -> bool {
        let definition = location.declared_name().split('.').next().unwrap_or_default();
        let from_file = self.snapshot.location_attribute(location, "from");
        location.is_plain()
            && from_file != Some("environment-file")
            && !definition.ends_with("service-env")
    }

    /// Whether a place belongs to a service's definition and holds the variable in it.
    #[must_use]
    pub fn is_embedded_in(&self, service: Option<Service>, location: Location<'s>) -> bool {
        service.is_some_and(|service| {
            let of = Credential::from_name(self.snapshot.credential_name(location.credential));
            of.is_some_and(|of| self.defined_by(service, of).any(|own| own.id == location.id))
                && self.is_embedded(location)
        })
    }

    /// The places at which a program finds the credential's variable, in order.
    #[must_use]
    pub fn environment(
        &self,
        consumer: Consumer<'_>,
        program: Program,
        credential: Credential,
    ) -> Vec<Location<'s>> {
        match self.snapshot.consumer_attribute(consumer, "environment") {
            Some("none") => Vec::new(),
            Some("process") => self.variables(None, credential),
            _ => {
                let service = self.starter(program);
                let mut places = self.variables(service, credential);
                if service.is_none() && program != Program::Gateway && self.is_step_before_start() {
                    places.retain(|place| place.name != credential.env());
                }
                places
            }
        }
    }

    /// The places at which a program finds the credential's variable, whether a service starts it or
    /// the process that was observed.
    pub(crate) fn variables(
        &self,
        service: Option<Service>,
        credential: Credential,
    ) -> Vec<Location<'s>> {
        match (service, credential) {
            (None, Credential::Token) => self.known().token.clone(),
            (None, Credential::Password) => self.known().password.clone(),
            _ => self.find_variables(service, credential),
        }
    }

    /// The same, looked for.
    pub(crate) fn find_variables(
        &self,
        service: Option<Service>,
        credential: Credential,
    ) -> Vec<Location<'s>> {
        let mut places: Vec<Location<'s>> = match service {
            Some(service) => {
                let in_force = |location: &Location<'s>| {
                    self.snapshot.location_attribute(*location, "in-force") != Some("no")
                };
                let defined = self.defined_by(service, credential).filter(in_force);
                if self.drops(service, credential) { Vec::new() } else { defined.collect() }
            }
            None => {
                let here = self.version < FILTERS_WORKING_DIRECTORY;
                let working = here.then(|| self.variable(WORKING_DOTENV, credential)).flatten();
                self.location(credential.env()).into_iter().chain(working).collect()
            }
        };
        places.extend(self.variable(DOTENV, credential));
        if self.reads_gateway_env() {
            places.extend(self.variable(GATEWAY_ENV, credential));
        }
        // What cannot be read is told by the host; what its readers make of it is not known.
        places.retain(|place| !place.is_unreadable());
        // What is set but blank keeps the files below it from being looked at.
        let set = |location: &Location<'_>| !matches!(location.presence, Presence::Absent);
        if let Some(first) = places.iter().position(set)
            && places.get(first).is_some_and(Location::is_unset)
        {
            places.truncate(first + 1);
        }
        places.extend(self.variable(CONFIG_ENV, credential));
        places.extend(self.variable(CONFIG_ENV_VARS, credential));
        places
    }

    fn variable(&self, of: OfEach, credential: Credential) -> Option<Location<'s>> {
        self.location(match credential {
            Credential::Token => of.0,
            Credential::Password => of.1,
        })
    }

    /// Whether programs read `~/.config/openclaw/gateway.env`: not where another state directory is
    /// named.
    fn reads_gateway_env(&self) -> bool {
        self.version >= FILTERS_WORKING_DIRECTORY && self.snapshot.fact("state-dir").is_none()
    }

    /// Whether the gateway drops, when it starts, what its unit says of the variable: where that is
    /// called managed, and the configuration does not refer to it.
    fn drops(&self, service: Service, credential: Credential) -> bool {
        let keys = self.snapshot.fact("service-managed-keys").unwrap_or_default();
        let refers = |name: &str| {
            let reference = self.location(name).and_then(|location| location.reference());
            reference.is_some_and(|reference| reference.target == credential.key())
        };
        self.version >= MANAGES_VARIABLES
            && GATEWAY.contains(&service)
            && keys.split(',').any(|key| key.trim() == credential.key())
            && ![credential.auth(), credential.remote()].into_iter().any(refers)
    }
}

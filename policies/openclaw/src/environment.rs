//! Where a program's environment comes from: the process, files that it reads, or a service.
//!
//! A variable that is set is never replaced by a file's, even where it is empty; a blank one is
//! replaced by the configuration's own `env`.

use precedent_guest::{Consumer, Location, Presence};

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
    /// What must be said to its manager after its definition was edited.
    pub reload: Option<&'static str>,
    /// The declared names of its own variables, without the credential.
    definitions: &'static [&'static str],
}

const GATEWAY: &[Service] = &[
    Service {
        restart: "systemctl --user restart openclaw-gateway.service",
        reload: Some("systemctl --user daemon-reload"),
        definitions: &["unit"],
    },
    Service {
        restart: "systemctl restart openclaw-gateway.service",
        reload: Some("systemctl daemon-reload"),
        definitions: &["system-unit"],
    },
    Service {
        restart: "launchctl kickstart -k gui/$UID/ai.openclaw.gateway",
        reload: None,
        definitions: &["plist", "service-env"],
    },
];

const NODE: &[Service] = &[
    Service {
        restart: "systemctl --user restart openclaw-node.service",
        reload: Some("systemctl --user daemon-reload"),
        definitions: &["node-unit"],
    },
    Service {
        restart: "launchctl kickstart -k gui/$UID/ai.openclaw.node",
        reload: None,
        definitions: &["node-plist", "node-service-env"],
    },
];

impl<'s> Installation<'s> {
    /// The service that is defined for a program; none where only a shell starts it.
    #[must_use]
    pub fn service(&self, program: Program) -> Option<Service> {
        let services = match program {
            Program::Gateway => GATEWAY,
            Program::NodeHost => NODE,
            _ => return None,
        };
        services.iter().copied().find(|service| {
            let mut own = self.defined_by(*service, Credential::Token);
            own.any(|l| self.snapshot.location_attribute(l, "file") != Some("absent"))
        })
    }

    /// The service that starts a program, with variables of its own: none where this process is that
    /// service, for then its variables were observed as they are.
    pub(crate) fn starter(&self, program: Program) -> Option<Service> {
        self.service(program).filter(|_| program != Program::Gateway || !self.in_service)
    }

    /// Every place in a service's definition that sets, or could set, a credential's variable.
    pub fn defined_by(
        &self,
        service: Service,
        credential: Credential,
    ) -> impl Iterator<Item = Location<'s>> {
        self.snapshot.locations().filter(move |location| {
            location.declared_name().split_once('.').is_some_and(|(definition, of)| {
                of == credential.name() && service.definitions.contains(&definition)
            })
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
            _ => self.variables(self.starter(program), credential),
        }
    }

    /// The places at which a program finds the credential's variable, whether a service starts it or
    /// the process that was observed.
    pub(crate) fn variables(
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
                if self.manages(credential) { Vec::new() } else { defined.collect() }
            }
            None => {
                let here = self.version < FILTERS_WORKING_DIRECTORY;
                let working = here.then(|| self.variable("working-dotenv", credential)).flatten();
                self.location(credential.env()).into_iter().chain(working).collect()
            }
        };
        places.extend(self.variable("dotenv", credential));
        places.extend(self.variable("gateway-env", credential));
        // What is set but blank keeps the files below it from being looked at.
        let set = |location: &Location<'_>| !matches!(location.presence, Presence::Absent);
        if let Some(first) = places.iter().position(set)
            && places.get(first).is_some_and(Location::is_unset)
        {
            places.truncate(first + 1);
        }
        let in_configuration = match credential {
            Credential::Token => ["config.env-token", "config.env-vars-token"],
            Credential::Password => ["config.env-password", "config.env-vars-password"],
        };
        places.extend(in_configuration.into_iter().filter_map(|name| self.location(name)));
        places
    }

    fn variable(&self, file: &str, credential: Credential) -> Option<Location<'s>> {
        self.location(&format!("{file}.{}", credential.name()))
    }

    /// Whether the gateway's unit calls the variable managed, so that its value in the unit is
    /// dropped at start.
    fn manages(&self, credential: Credential) -> bool {
        let keys = self.snapshot.fact("service-managed-keys").unwrap_or_default();
        self.version >= MANAGES_VARIABLES
            && keys.split(',').any(|key| key.trim() == credential.key())
    }
}

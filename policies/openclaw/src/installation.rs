//! Version and modes of an installation, read from a snapshot.

use precedent_guest::{Location, Presence, Snapshot};

use crate::{Place, Program, Service, Version, call::Call, environment};

/// Whether the configuration speaks of a gateway here or of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `gateway.mode` is `local` or unset.
    Local,
    /// `gateway.mode` is `remote`: this installation is a client.
    Remote,
}

/// How clients authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// With the gateway token.
    Token,
    /// With the gateway password.
    Password,
    /// By a header of the proxy in front; where there is a password, with that too.
    TrustedProxy,
    /// Not by a secret of the gateway: `none`, or a mode of a later version.
    Other,
}

impl AuthMode {
    /// The mode by its name in the configuration.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        match name {
            "token" => Self::Token,
            "password" => Self::Password,
            "trusted-proxy" => Self::TrustedProxy,
            _ => Self::Other,
        }
    }
}

/// One of the gateway's two credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// `gateway-token`
    Token,
    /// `gateway-password`
    Password,
}

impl Credential {
    /// The credential by its name in the preset.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "gateway-token" => Some(Self::Token),
            "gateway-password" => Some(Self::Password),
            _ => None,
        }
    }

    /// Its name in the preset.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Token => "gateway-token",
            Self::Password => "gateway-password",
        }
    }

    /// Its variable.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Token => "OPENCLAW_GATEWAY_TOKEN",
            Self::Password => "OPENCLAW_GATEWAY_PASSWORD",
        }
    }

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Token => Self::Password,
            Self::Password => Self::Token,
        }
    }

    /// The location of its variable.
    #[must_use]
    pub fn env(self) -> &'static str {
        self.at(Place::Env)
    }

    /// The location of `gateway.auth.*`.
    #[must_use]
    pub fn auth(self) -> &'static str {
        self.at(Place::Auth)
    }

    /// The location of `gateway.remote.*`.
    #[must_use]
    pub fn remote(self) -> &'static str {
        self.at(Place::Remote)
    }

    /// The location of a place.
    #[must_use]
    pub fn at(self, place: Place) -> &'static str {
        match (self, place) {
            (Self::Token, Place::Call) => "call.gateway-token",
            (Self::Token, Place::Env) => "env.gateway-token",
            (Self::Token, Place::LegacyEnv) => "legacy-env.gateway-token",
            (Self::Token, Place::Auth) => "config.auth-token",
            (Self::Token, Place::Remote) => "config.remote-token",
            (Self::Password, Place::Call) => "call.gateway-password",
            (Self::Password, Place::Env) => "env.gateway-password",
            (Self::Password, Place::LegacyEnv) => "legacy-env.gateway-password",
            (Self::Password, Place::Auth) => "config.auth-password",
            (Self::Password, Place::Remote) => "config.remote-password",
        }
    }
}

/// An installation of OpenClaw as a snapshot shows it.
#[derive(Debug, Clone)]
pub struct Installation<'s> {
    /// The snapshot itself.
    pub snapshot: &'s Snapshot,
    /// The release; [`Version::NEWEST`] where [`version_known`](Self::version_known) is false.
    pub version: Version,
    /// Whether the snapshot told the release.
    pub version_known: bool,
    /// `gateway.mode`
    pub mode: Mode,
    /// `OPENCLAW_SERVICE_KIND=gateway`
    pub in_service: bool,
    /// `OPENCLAW_GATEWAY_URL` is set: clients then take credentials from the environment only.
    pub url_override: bool,
    /// What is asked for each program anew, and is the same for all of them.
    known: Known<'s>,
}

/// What was looked up once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known<'s> {
    pub(crate) is_readable: bool,
    /// The places in the definitions of services.
    pub(crate) defined: Vec<Location<'s>>,
    pub(crate) gateway: Option<Service>,
    pub(crate) node: Option<Service>,
    /// The places that programs look at, and those at which they find a variable without a service.
    pub(crate) places: Vec<(Credential, Place, Location<'s>)>,
    pub(crate) token: Vec<Location<'s>>,
    pub(crate) password: Vec<Location<'s>>,
    /// The release in words, where it is known.
    pub(crate) version: Option<String>,
}

impl<'s> Installation<'s> {
    /// Reads the facts of the snapshot.
    #[must_use]
    pub fn new(snapshot: &'s Snapshot) -> Self {
        let version = detect(snapshot);
        let mut installation = Self {
            snapshot,
            version: version.unwrap_or(Version::NEWEST),
            version_known: version.is_some(),
            mode: Call::new(snapshot).mode().unwrap_or(
                if snapshot.fact("gateway.mode") == Some("remote") {
                    Mode::Remote
                } else {
                    Mode::Local
                },
            ),
            in_service: snapshot.fact("service-kind") == Some("gateway"),
            url_override: snapshot.fact("gateway-url").is_some(),
            known: Known::default(),
        };
        installation.look_up();
        installation
    }

    fn look_up(&mut self) {
        self.known.is_readable = true;
        for location in self.snapshot.locations() {
            if location.name.starts_with("config.") && location.is_unreadable() {
                self.known.is_readable = false;
            }
            if environment::is_defined(location) {
                self.known.defined.push(location);
            }
        }
        self.known.gateway = self.services(Program::Gateway).into_iter().next();
        self.known.node = self.services(Program::NodeHost).into_iter().next();
        let each = [Credential::Token, Credential::Password].into_iter();
        let each = each.flat_map(|of| Place::ALL.map(|place| (of, place)));
        let places = each.filter_map(|(of, place)| Some((of, place, self.location(of.at(place))?)));
        self.known.places = places.collect();
        self.look_up_variables();
    }

    /// What depends on the release.
    fn look_up_variables(&mut self) {
        self.known.version = self.version_known.then(|| self.version.to_string());
        self.known.token = self.find_variables(None, Credential::Token);
        self.known.password = self.find_variables(None, Credential::Password);
    }

    /// What stands at a place; none where the deployment does not have it.
    pub(crate) fn at(&self, credential: Credential, place: Place) -> Option<Location<'s>> {
        let mut places = self.known.places.iter();
        places.find(|at| at.0 == credential && at.1 == place).map(|at| at.2)
    }

    pub(crate) fn known(&self) -> &Known<'s> {
        &self.known
    }

    /// The same installation under another release.
    #[must_use]
    pub fn as_of(&self, version: Version) -> Self {
        let mut then = Self { version, version_known: true, ..self.clone() };
        then.look_up_variables();
        then
    }

    /// How clients authenticate. Where `gateway.auth.mode` is not set, a password makes it
    /// password mode, as in OpenClaw itself.
    #[must_use]
    pub fn auth_mode(&self) -> AuthMode {
        self.stated_auth_mode().unwrap_or_else(|| {
            let mut places = self.variables(self.starter(Program::Gateway), Credential::Password);
            places.extend(self.location(Credential::Password.auth()));
            if places.iter().any(is_set) { AuthMode::Password } else { AuthMode::Token }
        })
    }

    /// `gateway.auth.mode`; none where it is not set.
    #[must_use]
    pub fn stated_auth_mode(&self) -> Option<AuthMode> {
        self.snapshot.fact("gateway.auth.mode").map(AuthMode::from_name)
    }

    /// Whether the server refuses the configuration: both secrets stand in it, and no mode says
    /// which one is meant.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        let both = [Credential::Token.auth(), Credential::Password.auth()];
        self.version >= Version::KNOWS_REFERENCES
            && self.stated_auth_mode().is_none()
            && both.iter().all(|name| self.location(name).is_some_and(|l| is_set(&l)))
    }

    /// Whether every part of the configuration that was looked at could be read. OpenClaw reads it
    /// whole before it looks at any part, and refuses it whole.
    #[must_use]
    pub fn is_readable(&self) -> bool {
        self.known.is_readable
    }

    /// The host of another gateway that the node host connects to; none where it is this one's.
    #[must_use]
    pub fn node_connects_to(&self) -> Option<&'s str> {
        let host = self.snapshot.fact("node-gateway-host")?;
        let is_here = matches!(host, "127.0.0.1" | "localhost" | "::1" | "[::1]" | "0.0.0.0");
        (self.mode == Mode::Local && !is_here).then_some(host)
    }

    /// A location of the preset; none where the deployment does not have it.
    #[must_use]
    pub fn location(&self, name: &str) -> Option<Location<'s>> {
        self.snapshot.location_named(name)
    }
}

/// Where the release is told, the surest first: by the deployment itself; by the package that the
/// service starts; by the release that wrote the configuration, or the unit; by a package or program
/// on the PATH, which may be another's.
const TOLD_BY: &[&str] = &[
    "openclaw-version",
    "openclaw-version.started",
    "openclaw-version.config",
    "openclaw-version.unit",
    "openclaw-version.description",
    "openclaw-version.package",
    "openclaw-version.program",
];

/// The release; none where nothing tells it, or the deployment says something that is none.
fn detect(snapshot: &Snapshot) -> Option<Version> {
    let (said, rest) = TOLD_BY.split_first()?;
    match snapshot.fact(said) {
        // What the deployment says counts, even where it is none: that is told.
        Some(said) => Version::in_text(said),
        None => rest.iter().find_map(|name| Version::in_text(snapshot.fact(name)?)),
    }
}

/// Whether something is configured there, whether or not it leads to a secret.
pub(crate) fn is_set(location: &Location<'_>) -> bool {
    let example = location.presence == Presence::Placeholder;
    location.is_plain() || location.reference().is_some() || example
}

//! Who looks where, in which order, since when: the table behind every answer.
//!
//! Measured by running the releases; `gateway.auth.*` is [`Place::Auth`], `gateway.remote.*` is
//! [`Place::Remote`], `OPENCLAW_GATEWAY_*` is [`Place::Env`].

use crate::{Credential, Mode, Version};

/// A program of OpenClaw that reads gateway credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The gateway server.
    Gateway,
    /// `openclaw gateway call` and the other commands that call the gateway.
    Cli,
    /// The terminal interface.
    Tui,
    /// `openclaw gateway probe` and `openclaw status`.
    Probe,
    /// A node that offers its machine to a gateway.
    NodeHost,
}

impl Program {
    /// The program by the name of its consumer, or by a consumer's attribute `program`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "gateway" => Self::Gateway,
            "cli" => Self::Cli,
            "tui" => Self::Tui,
            "probe" => Self::Probe,
            "node-host" => Self::NodeHost,
            _ => return None,
        })
    }
}

/// A place that a program can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The variable in the program's environment.
    Env,
    /// `gateway.auth.*` in the configuration.
    Auth,
    /// `gateway.remote.*` in the configuration.
    Remote,
}

/// What an order holds for; the last row that holds is the one in force.
struct Row {
    since: Version,
    program: Program,
    /// Both modes where none is given.
    mode: Option<Mode>,
    /// Both credentials where none is given.
    credential: Option<Credential>,
    /// Only with `OPENCLAW_SERVICE_KIND=gateway`.
    in_service: bool,
    order: &'static [Place],
}

use Credential::Password;
use Mode::{Local, Remote as RemoteMode};
use Place::{Auth, Env, Remote};
use Program::{Cli, Gateway, NodeHost, Probe, Tui};

const FIRST: Version = Version(0, 0, 0);
/// The service kind began to matter.
const SERVICE_KIND: Version = Version(2026, 3, 7);
/// A reference that leads nowhere stopped counting as absent.
const FAILS_CLOSED: Version = Version(2026, 3, 11);
/// The probe stopped falling back to `gateway.remote.*` in local mode.
const STRICT_PROBE: Version = Version(2026, 5, 0);
/// Clients behind a trusted proxy stopped taking a password from `gateway.remote.password`.
const PROXY_WITHOUT_PASSWORD: Version = Version(2026, 5, 0);
/// Clients turned from environment-first to configuration-first.
const CONFIG_FIRST: Version = Version(2026, 8, 1);

const fn row(since: Version, program: Program, mode: Option<Mode>, order: &'static [Place]) -> Row {
    Row { since, program, mode, credential: None, in_service: false, order }
}

impl Row {
    const fn password(mut self) -> Self {
        self.credential = Some(Password);
        self
    }

    const fn token(mut self) -> Self {
        self.credential = Some(Credential::Token);
        self
    }

    const fn in_service(mut self) -> Self {
        self.in_service = true;
        self
    }
}

/// The orders. Later rows win over earlier ones.
const ROWS: &[Row] = &[
    row(FIRST, Gateway, None, &[Auth, Env]),
    //
    row(FIRST, Cli, Some(Local), &[Env, Auth, Remote]),
    row(SERVICE_KIND, Cli, Some(Local), &[Auth, Remote, Env]).token().in_service(),
    row(CONFIG_FIRST, Cli, Some(Local), &[Auth, Env, Remote]),
    row(FIRST, Cli, Some(RemoteMode), &[Remote, Env, Auth]),
    row(FIRST, Cli, Some(RemoteMode), &[Env, Remote, Auth]).password(),
    //
    row(FIRST, Tui, Some(Local), &[Auth, Env]),
    row(FIRST, Tui, Some(RemoteMode), &[Remote]),
    row(CONFIG_FIRST, Tui, Some(RemoteMode), &[Remote, Env]),
    //
    row(FIRST, Probe, Some(Local), &[Env, Auth, Remote]),
    row(STRICT_PROBE, Probe, Some(Local), &[Env, Auth]),
    row(SERVICE_KIND, Probe, Some(Local), &[Auth, Remote, Env]).token().in_service(),
    row(STRICT_PROBE, Probe, Some(Local), &[Auth, Env]).token().in_service(),
    row(CONFIG_FIRST, Probe, Some(Local), &[Auth, Env]),
    row(FIRST, Probe, Some(RemoteMode), &[Remote]),
    row(FIRST, Probe, Some(RemoteMode), &[Env, Remote, Auth]).password(),
    row(CONFIG_FIRST, Probe, Some(RemoteMode), &[Env, Remote]).password(),
    //
    row(FIRST, NodeHost, Some(Local), &[Env, Auth]),
    row(FIRST, NodeHost, Some(RemoteMode), &[Env, Remote]),
];

/// The places that a program looks at, in its order.
#[must_use]
pub fn order(
    version: Version,
    program: Program,
    mode: Mode,
    credential: Credential,
    in_service: bool,
) -> &'static [Place] {
    ROWS.iter()
        .rfind(|row| {
            row.since <= version
                && row.program == program
                && row.mode.is_none_or(|only| only == mode)
                && row.credential.is_none_or(|only| only == credential)
                && (!row.in_service || in_service)
        })
        .map_or(&[], |row| row.order)
}

/// Whether a reference that leads nowhere stops the program, rather than being passed over.
///
/// It does at `gateway.auth.*` of the credential by which clients authenticate, for the server and
/// for clients in local mode. Elsewhere, and before references were known, it counts as nothing.
#[must_use]
pub fn stops_at_unresolved(
    version: Version,
    program: Program,
    mode: Mode,
    place: Place,
    needed: bool,
) -> bool {
    version >= Version::KNOWS_REFERENCES
        && needed
        && place == Auth
        && (mode == Local || program == Gateway)
}

/// Whether the program looks where a reference leads at all. The server resolves only those of the
/// credential that it needs, and none before references were known.
#[must_use]
pub fn follows_references(version: Version, program: Program, needed: bool) -> bool {
    program != Gateway || (needed && version >= Version::KNOWS_REFERENCES)
}

/// Whether the server takes the variable before what `gateway.auth.*` refers to.
#[must_use]
pub fn starts_on_env_before_reference(version: Version) -> bool {
    version < CONFIG_FIRST
}

/// Whether a client behind a trusted proxy takes no password from `gateway.remote.password`.
#[must_use]
pub fn trusts_proxy_without_password(version: Version) -> bool {
    version >= PROXY_WITHOUT_PASSWORD
}

/// Whether a client in local mode keeps to `gateway.auth.*` where that is a reference which leads
/// nowhere, and does not fall back to `gateway.remote.*`.
#[must_use]
pub fn keeps_to_auth(version: Version) -> bool {
    version >= FAILS_CLOSED
}

/// Whether callers ask for one precedence in local mode, not for one for each credential.
#[must_use]
pub fn has_one_local_precedence(version: Version) -> bool {
    version >= CONFIG_FIRST
}

/// Whether the server also takes `gateway.remote.*` when it starts. Live requests with it are
/// refused all the same.
#[must_use]
pub fn starts_on_remote(version: Version) -> bool {
    version >= CONFIG_FIRST
}

//! Who looks where, in which order, since when: the table behind every answer.
//!
//! Measured by running the releases. The places are those of [`Place`]; what bends an order, such as
//! a reference or an explicit `--token`, is said by the functions below the table, each with the
//! release since which it holds.

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
    /// What the caller hands over: `--token`, `--password`.
    Call,
    /// The variable in the program's environment: `OPENCLAW_GATEWAY_*`.
    Env,
    /// The variable of the earlier name: `CLAWDBOT_GATEWAY_*`.
    LegacyEnv,
    /// `gateway.auth.*` in the configuration.
    Auth,
    /// `gateway.remote.*` in the configuration.
    Remote,
}

impl Place {
    pub(crate) const ALL: [Self; 5] =
        [Self::Call, Self::Env, Self::LegacyEnv, Self::Auth, Self::Remote];
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
use Place::{Auth, Call, Env, LegacyEnv, Remote};
use Program::{Cli, Gateway, NodeHost, Probe, Tui};

const FIRST: Version = Version(0, 0, 0);
/// The service kind began to matter, and the source of a URL; node hosts began to resolve as clients
/// do, and the terminal interface to ask how the gateway authenticates.
const SERVICE_KIND: Version = Version(2026, 3, 7);
/// A reference that leads nowhere stopped counting as absent.
const FAILS_CLOSED: Version = Version(2026, 3, 11);
/// The variables of the earlier name were given up.
const ONE_NAME: Version = Version(2026, 3, 22);
/// The server began to refuse the documentation's examples, and the probe to take a secret from its
/// caller. First seen on 2026.4.24.
const SPRING: Version = Version(2026, 4, 0);
/// The probe stopped falling back to `gateway.remote.*` in local mode, clients behind a trusted proxy
/// got rules of their own, and the terminal interface began to look at the environment in remote
/// mode. First seen on 2026.5.28.
const STRICT: Version = Version(2026, 5, 0);
/// The server behind a trusted proxy began to follow a reference to a password. First seen on
/// 2026.7.35.
const PROXY_PASSWORD: Version = Version(2026, 6, 0);
/// Clients turned from environment-first to configuration-first.
pub const CONFIG_FIRST: Version = Version(2026, 8, 1);
/// The server began to refuse a blank value too. First seen on 2026.9.6.
const NO_BLANKS: Version = Version(2026, 9, 0);

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
    row(FIRST, Gateway, None, &[Call, Auth, Env]),
    //
    row(FIRST, Cli, Some(Local), &[Env, LegacyEnv, Auth, Remote]),
    row(SERVICE_KIND, Cli, Some(Local), &[Auth, Remote, Env, LegacyEnv]).token().in_service(),
    row(CONFIG_FIRST, Cli, Some(Local), &[Auth, Env, Remote]),
    row(FIRST, Cli, Some(RemoteMode), &[Remote, Env, LegacyEnv, Auth]),
    row(FIRST, Cli, Some(RemoteMode), &[Env, LegacyEnv, Remote, Auth]).password(),
    //
    row(FIRST, Tui, Some(Local), &[Call, Env, Auth]).token(),
    row(FIRST, Tui, Some(Local), &[Call, Env]).password(),
    row(SERVICE_KIND, Tui, Some(Local), &[Call, Auth, Env]).token(),
    row(SERVICE_KIND, Tui, Some(Local), &[Call, Env, Auth]).password(),
    row(CONFIG_FIRST, Tui, Some(Local), &[Call, Auth, Env]),
    row(FIRST, Tui, Some(RemoteMode), &[Call, Remote]),
    row(STRICT, Tui, Some(RemoteMode), &[Call, Remote, Env]),
    row(FIRST, Tui, Some(RemoteMode), &[Call, Env, Remote]).password(),
    //
    row(FIRST, Probe, Some(Local), &[Env, Auth, Remote]),
    row(STRICT, Probe, Some(Local), &[Env, Auth]),
    row(SERVICE_KIND, Probe, Some(Local), &[Auth, Remote, Env]).token().in_service(),
    row(STRICT, Probe, Some(Local), &[Auth, Env]).token().in_service(),
    row(CONFIG_FIRST, Probe, Some(Local), &[Auth, Env]),
    row(FIRST, Probe, Some(RemoteMode), &[Remote]),
    row(FIRST, Probe, Some(RemoteMode), &[Env, Remote, Auth]).password(),
    row(CONFIG_FIRST, Probe, Some(RemoteMode), &[Env, Remote]).password(),
    //
    row(FIRST, NodeHost, Some(Local), &[Env, Auth]),
    row(FIRST, NodeHost, Some(RemoteMode), &[Env, Remote]),
    row(SERVICE_KIND, NodeHost, Some(RemoteMode), &[Env, Remote, Auth]),
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

/// Whether clients take the variables of the earlier name. The server never did; but while clients
/// did, it followed no reference where one of them was set.
#[must_use]
pub fn takes_legacy_names(version: Version) -> bool {
    version < ONE_NAME
}

/// Whether one secret from the caller makes a client look nowhere else, even for the other one. The
/// server and the terminal interface take each by itself; the probe took none at first.
#[must_use]
pub fn is_content_with_call(version: Version, program: Program) -> bool {
    program == Cli || (program == Probe && version >= SPRING)
}

/// Whether a client that is sent to another URL asks who says so: one from the environment goes with
/// secrets from the environment, any other with those of the caller alone.
#[must_use]
pub fn knows_source_of_url(version: Version) -> bool {
    version >= SERVICE_KIND
}

/// Whether a reference at `gateway.auth.*` hides `gateway.remote.*` from a client in local mode, as a
/// value there does, wherever it leads.
#[must_use]
pub fn keeps_to_auth(version: Version) -> bool {
    version >= FAILS_CLOSED
}

/// Whether a client behind a trusted proxy authenticates by a password where there is one: it follows
/// a reference to it, and takes none from `gateway.remote.password`.
#[must_use]
pub fn gives_proxy_password(version: Version) -> bool {
    version >= STRICT
}

/// Whether a client that is told by the mode which credential it needs follows a reference to it even
/// where it finds the other one. Before, either sufficed.
#[must_use]
pub fn needs_what_mode_states(version: Version) -> bool {
    version >= STRICT
}

/// Whether the server behind a trusted proxy follows a reference to a password.
#[must_use]
pub fn serves_proxy_password(version: Version) -> bool {
    version >= PROXY_PASSWORD
}

/// Whether callers ask for one precedence in local mode, not for one for each credential.
#[must_use]
pub fn has_one_local_precedence(version: Version) -> bool {
    version >= CONFIG_FIRST
}

/// Whether the server takes the variable before what `gateway.auth.*` refers to. Since then it takes
/// no variable where it finds a reference.
#[must_use]
pub fn starts_on_env_before_reference(version: Version) -> bool {
    version < CONFIG_FIRST
}

/// Whether the server also takes `gateway.remote.*` when it starts. Live requests with it are
/// refused all the same.
#[must_use]
pub fn starts_on_remote(version: Version) -> bool {
    version >= CONFIG_FIRST
}

/// Whether the server refuses to start on one of the documentation's examples.
#[must_use]
pub fn refuses_examples(version: Version) -> bool {
    version >= SPRING
}

/// Whether the server refuses to start where the secret that it needs is blank.
#[must_use]
pub fn refuses_blanks(version: Version) -> bool {
    version >= NO_BLANKS
}

/// Whether the terminal interface, where it finds a reference, leaves the variables alone, as if they
/// were not set.
#[must_use]
pub fn keeps_to_reference(version: Version) -> bool {
    version >= CONFIG_FIRST
}

/// Whether the terminal interface, while it sets things up from the configuration, leaves the
/// variables alone: `OPENCLAW_TUI_SETUP_AUTH_SOURCE=config`.
#[must_use]
pub fn may_set_up_from_config(version: Version) -> bool {
    (SPRING..CONFIG_FIRST).contains(&version)
}

"""What the rules speak of: programs, places, modes, credentials."""

from __future__ import annotations

from enum import Enum


class Program(Enum):
    """A program of OpenClaw that reads gateway credentials, by the name of its consumer."""

    GATEWAY = "gateway"
    CLI = "cli"
    TUI = "tui"
    PROBE = "probe"
    NODE_HOST = "node-host"


class Place(Enum):
    """A place that a program can look at."""

    # What the caller hands over: `--token`, `--password`.
    CALL = "call"
    # The variable in the program's environment: `OPENCLAW_GATEWAY_*`.
    ENV = "env"
    # The variable of the earlier name: `CLAWDBOT_GATEWAY_*`.
    LEGACY_ENV = "legacy-env"
    # `gateway.auth.*` in the configuration.
    AUTH = "auth"
    # `gateway.remote.*` in the configuration.
    REMOTE = "remote"


class Mode(Enum):
    """Whether the configuration speaks of a gateway here or of another one."""

    # `gateway.mode` is `local` or unset.
    LOCAL = "local"
    # `gateway.mode` is `remote`: this installation is a client.
    REMOTE = "remote"


class AuthMode(Enum):
    """How clients authenticate."""

    TOKEN = "token"
    PASSWORD = "password"
    # By a header of the proxy in front; where there is a password, with that too.
    TRUSTED_PROXY = "trusted-proxy"
    # Not by a secret of the gateway: `none`, or a mode of a later version.
    OTHER = "other"

    @staticmethod
    def from_name(name: str) -> AuthMode:
        """Returns the mode by its name in the configuration."""
        return _AUTH_MODES.get(name, AuthMode.OTHER)


class Credential(Enum):
    """One of the gateway's two credentials, by its name in the preset."""

    TOKEN = "gateway-token"
    PASSWORD = "gateway-password"

    @property
    def key(self) -> str:
        """Its variable."""
        return _KEYS[self]

    @property
    def other(self) -> Credential:
        """The other one."""
        return Credential.PASSWORD if self is Credential.TOKEN else Credential.TOKEN

    def at(self, place: Place) -> str:
        """Returns the name of the location of a place."""
        return _LOCATIONS[self, place]


PROGRAMS = {program.value: program for program in Program}
CREDENTIALS = {credential.value: credential for credential in Credential}

_AUTH_MODES = {
    mode.value: mode for mode in (AuthMode.TOKEN, AuthMode.PASSWORD, AuthMode.TRUSTED_PROXY)
}
_KEYS = {
    Credential.TOKEN: "OPENCLAW_GATEWAY_TOKEN",
    Credential.PASSWORD: "OPENCLAW_GATEWAY_PASSWORD",
}
_LOCATIONS = {
    (Credential.TOKEN, Place.CALL): "call.gateway-token",
    (Credential.TOKEN, Place.ENV): "env.gateway-token",
    (Credential.TOKEN, Place.LEGACY_ENV): "legacy-env.gateway-token",
    (Credential.TOKEN, Place.AUTH): "config.auth-token",
    (Credential.TOKEN, Place.REMOTE): "config.remote-token",
    (Credential.PASSWORD, Place.CALL): "call.gateway-password",
    (Credential.PASSWORD, Place.ENV): "env.gateway-password",
    (Credential.PASSWORD, Place.LEGACY_ENV): "legacy-env.gateway-password",
    (Credential.PASSWORD, Place.AUTH): "config.auth-password",
    (Credential.PASSWORD, Place.REMOTE): "config.remote-password",
}

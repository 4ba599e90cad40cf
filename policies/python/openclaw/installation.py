"""Version and modes of an installation, read from a snapshot."""

from __future__ import annotations

from functools import cached_property

from sdk.snapshot import Location, Snapshot

from . import environment
from .call import Call
from .names import AuthMode, Credential, Mode, Place, Program
from .version import KNOWS_REFERENCES, NEWEST, Version, in_text

# Where the release is told, the surest first, after what the deployment itself says: by the package
# that the service starts; by the release that wrote the configuration, or the unit; by a package or
# program on the PATH, which may be another's.
_SAID = "openclaw-version"
_TOLD_BY = (
    "openclaw-version.started",
    "openclaw-version.config",
    "openclaw-version.unit",
    "openclaw-version.description",
    "openclaw-version.package",
    "openclaw-version.program",
)


# The names of this machine, as a node host is told them.
_HERE = ("127.0.0.1", "localhost", "::1", "[::1]", "0.0.0.0")


class Installation:
    """An installation of OpenClaw as a snapshot shows it.

    - ``version``: the release; the newest that was measured where ``version_known`` is false;
    - ``mode``: ``gateway.mode``;
    - ``in_service``: ``OPENCLAW_SERVICE_KIND=gateway``;
    - ``url_override``: ``OPENCLAW_GATEWAY_URL`` is set: clients then take credentials from the
      environment only.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        version = _detect(snapshot)
        self.snapshot = snapshot
        self.call = Call(snapshot)
        self.version = NEWEST if version is None else version
        self.version_known = version is not None
        self.mode = self.call.mode or (
            Mode.REMOTE if snapshot.fact("gateway.mode") == "remote" else Mode.LOCAL
        )
        self.in_service = snapshot.fact("service-kind") == "gateway"
        self.url_override = snapshot.fact("gateway-url") is not None

    @cached_property
    def auth_mode(self) -> AuthMode:
        """How clients authenticate.

        Where ``gateway.auth.mode`` is not set, a password makes it password mode, as in OpenClaw
        itself.
        """
        if self.stated_auth_mode is not None:
            return self.stated_auth_mode
        password = Credential.PASSWORD
        starter = environment.starter(self, Program.GATEWAY)
        places = environment.variables(self, starter, password)
        configured = self.location(password.at(Place.AUTH))
        is_password = any(map(is_set, places)) or (configured is not None and is_set(configured))
        return AuthMode.PASSWORD if is_password else AuthMode.TOKEN

    @cached_property
    def stated_auth_mode(self) -> AuthMode | None:
        """``gateway.auth.mode``; none where it is not set."""
        stated = self.snapshot.fact("gateway.auth.mode")
        return None if stated is None else AuthMode.from_name(stated)

    @cached_property
    def is_ambiguous(self) -> bool:
        """Whether the server refuses the configuration.

        It does where both secrets stand in it, and no mode says which one is meant.
        """
        both = [self.location(credential.at(Place.AUTH)) for credential in Credential]
        return (
            self.version >= KNOWS_REFERENCES
            and self.stated_auth_mode is None
            and all(each is not None and is_set(each) for each in both)
        )

    @cached_property
    def is_readable(self) -> bool:
        """Whether every part of the configuration that was looked at could be read.

        OpenClaw reads it whole before it looks at any part, and refuses it whole.
        """
        return not any(
            location.is_unreadable and location.name.startswith("config.")
            for location in self.snapshot.locations
        )

    @property
    def node_connects_to(self) -> str | None:
        """The host of another gateway that the node host connects to; none where that is here."""
        host = self.snapshot.fact("node-gateway-host")
        return host if self.mode is Mode.LOCAL and host not in _HERE else None

    def location(self, name: str) -> Location | None:
        """Returns a location of the preset; none where the deployment does not have it."""
        return self.snapshot.location_named(name)


def is_set(location: Location) -> bool:
    """Returns whether something is configured there, whether or not it leads to a secret."""
    return location.is_plain or location.reference is not None or location.is_placeholder


def _detect(snapshot: Snapshot) -> Version | None:
    """Returns the release; none where nothing tells it, or the deployment says what is none."""
    said = snapshot.fact(_SAID)
    if said is not None:
        # What the deployment says counts, even where it is none: that is told.
        return in_text(said)
    for name in _TOLD_BY:
        told = snapshot.fact(name)
        version = None if told is None else in_text(told)
        if version is not None:
            return version
    return None

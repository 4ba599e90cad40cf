"""What a caller may ask of the client's resolver beside its usual order.

OpenClaw's own programs do so of one another. The snapshot has each as a fact ``option.NAME``; the
secrets that a caller may hand over are locations, ``Place.CALL``.
"""

from __future__ import annotations

from enum import Enum

from sdk.snapshot import Snapshot
from sdk.text import trim

from . import era
from .names import AuthMode, Credential, Mode, Place
from .version import Version

_ENV, _LEGACY, _AUTH, _REMOTE = Place.ENV, Place.LEGACY_ENV, Place.AUTH, Place.REMOTE


class Url(Enum):
    """Who sends a client to another URL than the configuration's."""

    ENVIRONMENT = 0
    # The caller, or nobody says.
    CALLER = 1


class Call:
    """What a caller asks."""

    __slots__ = ("_fact",)

    def __init__(self, snapshot: Snapshot) -> None:
        self._fact = snapshot.fact

    @property
    def mode(self) -> Mode | None:
        """The mode that a client takes instead of the configuration's."""
        told = self._fact("option.modeOverride")
        if told is None:
            told = self._fact("option.mode")
        if told is None:
            return None
        return Mode.REMOTE if told == "remote" else Mode.LOCAL

    @property
    def auth_mode(self) -> AuthMode | None:
        """The mode of authentication that the server takes instead of the configuration's."""
        told = self._fact("option.authOverride.mode")
        return None if told is None else AuthMode.from_name(told)

    @property
    def url(self) -> Url | None:
        """Who sends the client elsewhere, if anybody does."""
        if self._is_given("option.url"):
            return Url.CALLER
        if not self._is_given("option.urlOverride"):
            return None
        by_environment = self._fact("option.urlOverrideSource") == "env"
        return Url.ENVIRONMENT if by_environment else Url.CALLER

    @property
    def forgoes_legacy_names(self) -> bool:
        """Whether the client shall not look at the variables of the earlier name."""
        return self._fact("option.includeLegacyEnv") == "false"

    def order(
        self, version: Version, mode: Mode, credential: Credential
    ) -> tuple[Place, ...] | None:
        """Returns the order that it asks for; none where it leaves the usual one."""
        if mode is Mode.REMOTE:
            return self._remote(credential)
        asked = self._local(version, credential)
        if asked is None:
            return None
        if asked == "env-first":
            return (_ENV, _LEGACY, _AUTH, _REMOTE)
        if era.has_one_local_precedence(version):
            return (_AUTH, _ENV, _REMOTE)
        return (_AUTH, _REMOTE, _ENV, _LEGACY)

    def _local(self, version: Version, credential: Credential) -> str | None:
        if era.has_one_local_precedence(version):
            return self._fact("option.localPrecedence")
        if credential is Credential.TOKEN:
            return self._fact("option.localTokenPrecedence")
        return self._fact("option.localPasswordPrecedence")

    def _remote(self, credential: Credential) -> tuple[Place, ...] | None:
        of = "Token" if credential is Credential.TOKEN else "Password"
        if self._fact(f"option.remote{of}Fallback") == "remote-only":
            return (_REMOTE,)
        asked = self._fact(f"option.remote{of}Precedence")
        if asked is None:
            return None
        if asked == "env-first":
            return (_ENV, _LEGACY, _REMOTE, _AUTH)
        return (_REMOTE, _ENV, _LEGACY, _AUTH)

    def _is_given(self, name: str) -> bool:
        url = self._fact(name)
        return url is not None and trim(url) != ""

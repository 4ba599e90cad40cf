"""Whether it is for this policy to say what the others must be."""

from __future__ import annotations

from openclaw.installation import Installation
from openclaw.names import AuthMode, Credential, Mode, Place
from sdk.decision import Decision
from sdk.snapshot import Location
from wit_world.exports import policy as contract

from . import references

_SOURCE = "env.gateway-token"
_ERROR, _INFO = contract.Severity.ERROR, contract.Severity.INFO


def authority(installation: Installation, decision: Decision) -> Location | None:
    """Returns the variable, where it is for this policy to say what the others must be.

    Where it is not, a finding says why, and nothing is touched.
    """
    source = installation.location(_SOURCE)
    if (
        source is None
        or not _is_usable(source, decision)
        or not _is_asked_for(installation, decision)
    ):
        return None
    # The server takes what its configuration refers to. Where that is another token, or one that
    # is not known here, clients must not be given the variable's.
    server = installation.location(Credential.TOKEN.at(Place.AUTH))
    if (
        server is not None
        and server.reference is not None
        and not server.same_secret(source)
    ):
        references.keep(source, server, decision)
        return None
    return source


def _is_usable(source: Location, decision: Decision) -> bool:
    """Returns whether the variable holds a token."""
    if source.is_plain:
        return True
    label = source.label
    if source.is_placeholder:
        decision.finding(
            _ERROR,
            "token-is-placeholder",
            f"{label} holds the documentation's example, which everybody knows; nothing is touched",
            at=[source],
            remedy="put a token of your own into the Secret, "
            "such as the output of `openssl rand -hex 32`",
        )
    elif not source.is_unreadable:
        decision.finding(
            _INFO,
            "token-not-set",
            f"{label} is not set here, so this policy has nothing to go by; nothing is touched",
            at=[source],
            remedy=f"if it should be: is the Secret's key named {label}, "
            "and does this container get it?",
        )
    return False


def _is_asked_for(installation: Installation, decision: Decision) -> bool:
    """Returns whether the programs here authenticate by a token, and by that of a gateway here."""
    token, password = Credential
    if installation.is_ambiguous:
        decision.finding(
            _ERROR,
            "auth-ambiguous",
            "gateway.auth.token and gateway.auth.password are both set and gateway.auth.mode is "
            "not: OpenClaw does not start like that",
            at=[installation.location(token.at(Place.AUTH))],
            remedy="set gateway.auth.mode to token or password",
        )
        return False
    if installation.mode is Mode.REMOTE:
        decision.finding(
            _INFO,
            "remote-mode",
            "gateway.mode is remote: gateway.remote.token belongs to the other gateway and is not "
            "touched",
            at=[installation.location(token.at(Place.REMOTE))],
        )
        return False
    if installation.auth_mode is AuthMode.TOKEN:
        return True
    if installation.auth_mode is AuthMode.PASSWORD:
        decision.finding(
            _INFO,
            "password-mode",
            "clients authenticate with a password here; a token beside it is not written, for "
            "OpenClaw refuses to start with both and no mode",
            at=[installation.location(password.at(Place.AUTH))],
        )
        return False
    mode = installation.snapshot.fact("gateway.auth.mode")
    decision.finding(
        _INFO,
        "no-token-mode",
        f"gateway.auth.mode is {'unknown' if mode is None else mode}: "
        "no token is used, and none is written",
    )
    return False

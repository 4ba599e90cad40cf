"""What becomes of a copy."""

from __future__ import annotations

from enum import Enum

from openclaw.installation import Installation
from openclaw.names import Credential, Place
from openclaw.version import KNOWS_REFERENCES
from sdk.decision import Decision
from sdk.snapshot import Location
from wit_world.exports.policy import Severity

from . import references
from .settings import Persist


class _Wanted(Enum):
    """What should become of a copy."""

    EQUAL = 0
    REFERENCE = 1
    GONE = 2
    AS_IT_IS = 3


def follow(
    installation: Installation,
    persist: Persist,
    source: Location,
    copy: Location,
    decision: Decision,
) -> None:
    """Makes one copy follow the source, or go."""
    if copy.reference is not None:
        references.keep(source, copy, decision)
        return
    label, truth = copy.label, source.label
    is_same = copy.same_secret(source)
    is_stale = copy.is_plain and not is_same
    wanted = _wanted(installation, persist, copy, is_stale, decision)
    is_needed = {
        _Wanted.EQUAL: not is_same,
        _Wanted.REFERENCE: True,
        _Wanted.GONE: copy.is_plain,
        _Wanted.AS_IT_IS: False,
    }[wanted]
    if not is_needed:
        return
    if not copy.writable:
        if copy.is_plain:
            _say_read_only(copy, is_stale, decision)
        return
    if is_stale:
        decision.finding(
            Severity.WARNING,
            "token-rotated",
            f"{label} holds another token than {truth}: "
            "clients that still present the old one are refused from this start on",
            at=[copy],
            remedy="give the new token to clients outside this pod",
        )
    if wanted is _Wanted.EQUAL:
        decision.write_unless_equal(source, copy, f"{label} follows {truth}")
    elif wanted is _Wanted.REFERENCE:
        reason = f"{label} refers to {truth}, so no token is kept in the file"
        decision.refer(source, copy, reason)
    elif wanted is _Wanted.GONE:
        decision.remove(copy, f"{truth} is the only copy that is kept")


def _wanted(
    installation: Installation,
    persist: Persist,
    copy: Location,
    is_stale: bool,
    decision: Decision,
) -> _Wanted:
    is_server = copy.name == Credential.TOKEN.at(Place.AUTH)
    if persist is Persist.BOTH:
        return _Wanted.EQUAL
    if persist is Persist.REMOTE_ONLY:
        if not is_server:
            return _Wanted.EQUAL
        # A stale copy would make the server switch to it; an equal one does no harm.
        return _Wanted.GONE if is_stale else _Wanted.AS_IT_IS
    if persist is Persist.NONE:
        return _Wanted.GONE
    if installation.version_known and installation.version >= KNOWS_REFERENCES:
        return _Wanted.REFERENCE
    # Once is enough, and it is the server that would not start.
    if is_server:
        _say_unsupported(installation, copy, decision)
    return _Wanted.GONE


def _say_read_only(copy: Location, is_stale: bool, decision: Decision) -> None:
    decision.finding(
        Severity.ERROR if is_stale else Severity.WARNING,
        "target-read-only",
        f"{copy.label} should change, but the configuration cannot be written here",
        at=[copy],
        remedy="make the file and its folder writable for this user, "
        "or change the copy where it is made",
    )


def _say_unsupported(installation: Installation, copy: Location, decision: Decision) -> None:
    if installation.version_known:
        message = (
            f"OpenClaw {installation.version} does not take a SecretRef as gateway.auth.token; "
            "plain copies are removed instead"
        )
    else:
        message = (
            "whether this OpenClaw takes a SecretRef as gateway.auth.token is not known; "
            "plain copies are removed instead"
        )
    decision.finding(
        Severity.WARNING,
        "reference-unsupported",
        message,
        at=[copy],
        remedy=f"with {KNOWS_REFERENCES} or later, say the version; else set persist to both",
    )

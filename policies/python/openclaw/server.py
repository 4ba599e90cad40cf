"""The gateway: what it takes when it starts, and keeps."""

from __future__ import annotations

from sdk.precedence import GENERATED, INVALID, NOTHING
from wit_world.exports.policy import Phase

from . import era
from .names import AuthMode, Credential, Mode, Place
from .reader import Answer, Reader, nowhere
from .version import KNOWS_REFERENCES

_TOKEN, _PASSWORD = Credential.TOKEN, Credential.PASSWORD


def resolve(reader: Reader, credential: Credential) -> Answer:
    """Returns what the gateway gets."""
    found = _found(reader, credential)
    if not _starts(reader):
        return found
    mode = _mode(reader)
    if reader.installation.is_ambiguous or _refuses(reader, mode):
        return found.becoming(INVALID)
    # It makes up a token for this run, where it needs one and finds none.
    if found.standing == NOTHING and credential is _TOKEN and mode is AuthMode.TOKEN:
        return found.becoming(GENERATED)
    return found


def _found(reader: Reader, credential: Credential) -> Answer:
    version = reader.installation.version
    places = list(reader.order(Mode.LOCAL, credential))
    reference = reader.reference(credential, Place.AUTH)
    if reference is None:
        proxy = _stated_mode(reader) is AuthMode.TRUSTED_PROXY and credential is _PASSWORD
        if _starts(reader) and era.starts_on_remote(version) and not proxy:
            places.append(Place.REMOTE)
        return reader.answer(credential, places, nowhere)
    env_first = era.starts_on_env_before_reference(version)
    if env_first:
        places.sort(key=lambda place: place is Place.AUTH)
    needed = (
        version >= KNOWS_REFERENCES
        and _needs_reference(reader, credential)
        and not _has_legacy_variable(reader, credential)
    )
    if not env_first and (needed or _starts(reader)):
        # Since then a reference is all that it takes notice of, even one that it does not need.
        places = [place for place in places if place is not Place.ENV]
    answer = reader.answer(credential, places, lambda _: needed)
    if needed and answer.standing == NOTHING:
        return answer.failing(reference)
    return answer


def _needs_reference(reader: Reader, credential: Credential) -> bool:
    """Returns whether the gateway needs what ``gateway.auth.*`` refers to.

    The way in which clients authenticate says so. Where no mode says it, it does not while the
    other secret can be had.
    """
    stated = _stated_mode(reader)
    if stated is None:
        other = credential.other
        has_other = any(
            reader.is_set(other, place) for place in (Place.CALL, Place.ENV, Place.AUTH)
        )
        return not has_other and not _has_legacy_variable(reader, other)
    if stated is AuthMode.TOKEN:
        return credential is _TOKEN
    if credential is not _PASSWORD:
        return False
    if stated is AuthMode.TRUSTED_PROXY:
        return era.serves_proxy_password(reader.installation.version)
    return stated is AuthMode.PASSWORD


def _has_legacy_variable(reader: Reader, credential: Credential) -> bool:
    return era.takes_legacy_names(reader.installation.version) and reader.is_set(
        credential, Place.LEGACY_ENV
    )


def _refuses(reader: Reader, mode: AuthMode) -> bool:
    """Returns whether it refuses to start on what stands where its secret should."""
    if mode is AuthMode.TOKEN:
        credential = _TOKEN
    elif mode is AuthMode.PASSWORD:
        credential = _PASSWORD
    else:
        return False
    version = reader.installation.version
    found = _found(reader, credential)
    first = next((place for place in found.places if reader.is_set(credential, place)), None)
    is_example = first is not None and reader.is_example(credential, first)
    is_blank = found.standing == NOTHING and reader.is_blank(credential, Place.AUTH)
    return (is_example and era.refuses_examples(version)) or (
        is_blank and era.refuses_blanks(version)
    )


def _mode(reader: Reader) -> AuthMode:
    """Returns the mode that it starts in.

    A password makes it password mode where none is stated.
    """
    stated = _stated_mode(reader)
    if stated is not None:
        return stated
    found = _found(reader, _PASSWORD)
    is_example = any(reader.is_example(_PASSWORD, place) for place in found.places)
    has_password = found.standing != NOTHING or is_example
    return AuthMode.PASSWORD if has_password else AuthMode.TOKEN


def _stated_mode(reader: Reader) -> AuthMode | None:
    return reader.call.auth_mode or reader.installation.stated_auth_mode


def _starts(reader: Reader) -> bool:
    """Returns whether it is about to read its configuration anew."""
    return reader.installation.snapshot.phase in (Phase.START, Phase.RESTART)

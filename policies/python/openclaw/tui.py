"""The terminal interface.

It decides by which credential it authenticates, and takes the other one only from the caller or a
variable.
"""

from __future__ import annotations

from sdk.precedence import INVALID, NOTHING

from . import era
from .names import AuthMode, Credential, Mode, Place
from .reader import Answer, Reader, everywhere, nowhere
from .version import KNOWS_REFERENCES

_TOKEN, _PASSWORD = Credential.TOKEN, Credential.PASSWORD


def resolve(reader: Reader, credential: Credential) -> Answer:
    """Returns what the terminal interface gets."""
    installation = reader.installation
    if reader.call.url is not None:
        return reader.answer(credential, (Place.CALL,), nowhere)
    if installation.mode is Mode.REMOTE:
        return _remote(reader, credential)
    if installation.version < KNOWS_REFERENCES:
        return reader.answer(credential, reader.order(Mode.LOCAL, credential), everywhere)
    return _local(reader, credential)


def _remote(reader: Reader, credential: Credential) -> Answer:
    token_refers = reader.reference(_TOKEN, Place.REMOTE) is not None
    password_refers = reader.reference(_PASSWORD, Place.REMOTE) is not None
    keeps = _keeps_to_reference(reader) and (token_refers or password_refers)
    is_handed_any = _is_handed_any(reader)

    def found(credential: Credential) -> Answer:
        places = reader.order(Mode.REMOTE, credential)
        if keeps:
            places = _without(places, Place.ENV)
        if keeps and is_handed_any:
            places = (Place.CALL,)
        return reader.answer(credential, places, everywhere)

    token, password = found(_TOKEN), found(_PASSWORD)
    answer = token if credential is _TOKEN else password
    if token.standing == NOTHING and password.standing == NOTHING:
        # It names the first reference that should have led to one.
        if credential is _PASSWORD and token_refers:
            return answer
        return answer.failing(reader.reference(credential, Place.REMOTE))
    if (
        credential is _PASSWORD
        and keeps
        and token.standing != NOTHING
        and not is_handed_any
    ):
        return reader.answer(_PASSWORD, (), nowhere)
    return answer


def _local(reader: Reader, credential: Credential) -> Answer:
    installation = reader.installation
    places = reader.order(Mode.LOCAL, credential)
    used = _used(reader)
    if used is None:
        return reader.answer(credential, (Place.CALL, Place.ENV), nowhere)
    if installation.is_ambiguous:
        return reader.answer(credential, places, everywhere).becoming(INVALID)
    if _keeps_to_reference(reader) and _is_handed_any(reader) and _refers(reader):
        return reader.answer(credential, (Place.CALL,), nowhere)
    if credential is not used:
        places = _without(places, Place.AUTH)
    keeps = _keeps_to_reference(reader) and reader.reference(used, Place.AUTH) is not None
    sets_up = (
        era.may_set_up_from_config(installation.version)
        and installation.snapshot.fact("tui-setup-auth-source") == "config"
    )
    if keeps or sets_up:
        places = _without(places, Place.ENV)
    answer = reader.answer(credential, places, everywhere)
    if answer.standing == NOTHING and credential is used:
        return answer.failing(reader.reference(credential, Place.AUTH))
    return answer


def _used(reader: Reader) -> Credential | None:
    """Returns the credential by which it authenticates.

    None where the gateway asks for neither.
    """
    stated = reader.installation.stated_auth_mode
    if stated is AuthMode.TOKEN:
        return _TOKEN
    if stated is AuthMode.PASSWORD:
        return _PASSWORD
    if stated is not None:
        return None
    refers = (
        _keeps_to_reference(reader) and reader.reference(_TOKEN, Place.AUTH) is not None
    )
    at_hand = reader.is_plain(_PASSWORD, Place.CALL) or reader.is_plain(_PASSWORD, Place.ENV)
    configured = reader.is_set(_PASSWORD, Place.AUTH) and not reader.is_set(_TOKEN, Place.AUTH)
    return _PASSWORD if (at_hand and not refers) or configured else _TOKEN


def _refers(reader: Reader) -> bool:
    """Returns whether ``gateway.auth.*`` refers to a secret by which it could authenticate."""
    token = reader.reference(_TOKEN, Place.AUTH) is not None
    password = reader.reference(_PASSWORD, Place.AUTH) is not None
    stated = reader.installation.stated_auth_mode
    if stated is None:
        return token or password
    if stated is AuthMode.TOKEN:
        return token
    return stated is AuthMode.PASSWORD and password


def _is_handed_any(reader: Reader) -> bool:
    return any(reader.is_plain(credential, Place.CALL) for credential in Credential)


def _keeps_to_reference(reader: Reader) -> bool:
    return era.keeps_to_reference(reader.installation.version)


def _without(places: tuple[Place, ...], left_out: Place) -> tuple[Place, ...]:
    return tuple(place for place in places if place is not left_out)

"""The command line, the probe and node hosts: one resolver, asked differently."""

from __future__ import annotations

from sdk.precedence import NOTHING
from wit_world.exports.policy import Standing_Copy

from . import era
from .call import Url
from .names import AuthMode, Credential, Mode, Place, Program
from .reader import Answer, Reader
from .version import KNOWS_REFERENCES

_TOKEN, _PASSWORD = Credential.TOKEN, Credential.PASSWORD

# A place of one of the two credentials.
_At = tuple[Credential, Place]

# One after the other, in this order: what the first leads to can make the next needless.
_REFERENCES: tuple[_At, ...] = (
    (_TOKEN, Place.AUTH),
    (_PASSWORD, Place.AUTH),
    (_TOKEN, Place.REMOTE),
    (_PASSWORD, Place.REMOTE),
)


def resolve(reader: Reader, credential: Credential) -> Answer:
    """Returns what a client gets."""
    client = _Client(reader)
    for of, place in _REFERENCES:
        if reader.leads(of, place) and client.would_use(of, place):
            client.followed.append((of, place))
    # Where it would fail at a reference, it follows that one too, and looks again.
    failure = client.failure()
    while failure is not None and reader.leads(*failure):
        client.followed.append(failure)
        failure = client.failure()
    answer = client.found(credential)
    if failure is not None and failure[0] is credential:
        return answer.failing(reader.reference(*failure))
    return answer


class _Client:
    """A client, and which references it follows."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._installation = reader.installation
        self._version = reader.installation.version
        self._is_local = reader.installation.mode is Mode.LOCAL
        self.followed: list[_At] = []
        # The places that the client looks at, whatever stands there.
        self._places = {credential: self._looks_at(credential) for credential in Credential}

    def would_use(self, credential: Credential, place: Place) -> bool:
        """Returns whether the client would use what a reference leads to.

        It is asked as if the references that it has not followed were not there. It does not follow
        one for nothing: a command may be at its end.
        """
        if self._is_local and not self._may_authenticate_by(credential):
            return False
        reader = self._reader
        winner = reader.walk(
            credential,
            self._places[credential],
            lambda at: at is place or self._follows(credential, at),
        ).standing
        location = reader.at(credential, place)
        if location is None or winner != Standing_Copy(location.id):
            return False
        if era.needs_what_mode_states(self._version) and self._is_stated(credential):
            return True
        other = credential.other
        others = reader.walk(other, self._places[other], lambda at: self._follows(other, at))
        return others.standing == NOTHING

    def found(self, credential: Credential) -> Answer:
        """Returns the first secret.

        In local mode a reference at ``gateway.auth.*`` hides ``gateway.remote.*``.
        """
        places = self._places[credential]
        if (
            self._is_local
            and era.keeps_to_auth(self._version)
            and self._reader.reference(credential, Place.AUTH) is not None
        ):
            places = [place for place in places if place is not Place.REMOTE]
        return self._reader.answer(credential, places, lambda at: self._follows(credential, at))

    def failure(self) -> _At | None:
        """Returns the reference at which the client fails, for it should have led to a secret."""
        if self._version < KNOWS_REFERENCES:
            return None
        return self._failure_in_local_mode() if self._is_local else self._failure_in_remote_mode()

    def _looks_at(self, credential: Credential) -> list[Place]:
        reader, version = self._reader, self._version
        is_handed = any(reader.is_plain(each, Place.CALL) for each in Credential)
        if is_handed and era.is_content_with_call(version, reader.program):
            return [Place.CALL]
        variables = reader.variables
        places = [
            place
            for place in self._order(credential)
            if place is not Place.LEGACY_ENV or place in variables
        ]
        if (
            self._is_local
            and credential is _PASSWORD
            and self._installation.stated_auth_mode is AuthMode.TRUSTED_PROXY
            and era.gives_proxy_password(version)
        ):
            places = [place for place in places if place is not Place.REMOTE]
        return places

    def _order(self, credential: Credential) -> tuple[Place, ...]:
        reader, installation = self._reader, self._installation
        is_cli = reader.program is Program.CLI
        url = reader.call.url
        if url is None and installation.url_override and is_cli:
            url = Url.ENVIRONMENT
        elif url is Url.ENVIRONMENT and not era.knows_source_of_url(self._version):
            url = Url.CALLER
        if url is Url.CALLER:
            return ()
        if url is Url.ENVIRONMENT:
            return (Place.ENV, Place.LEGACY_ENV)
        if is_cli:
            asked = reader.call.order(self._version, installation.mode, credential)
            if asked is not None:
                return asked
        return reader.order(installation.mode, credential)

    def _failure_in_local_mode(self) -> _At | None:
        """Returns ``gateway.auth.*`` of a credential by which it would authenticate.

        It fails there where a variable is set which that reference should have come before, and
        where nothing else is there.
        """
        states = self._installation.stated_auth_mode is not None
        candidates = [
            (credential, Place.AUTH)
            for credential in Credential
            if self._is_unfollowed((credential, Place.AUTH))
            and self._may_authenticate_by(credential)
            and (states or self._finds_nothing(credential.other))
        ]
        for at in candidates:
            if self._comes_before_variable(at[0]):
                return at
        for at in candidates:
            if self._finds_nothing(at[0]):
                return at
        return None

    def _failure_in_remote_mode(self) -> _At | None:
        """Returns a reference, where neither secret is found and no variable is set for it."""
        if not self._finds_nothing(_TOKEN) or not self._finds_nothing(_PASSWORD):
            return None
        # The password of this machine's own gateway is nothing that it would insist on.
        insists = [(_TOKEN, Place.REMOTE), (_PASSWORD, Place.REMOTE)]
        if self._may_authenticate_by(_TOKEN):
            insists.append((_TOKEN, Place.AUTH))
        for at in insists:
            if self._is_unfollowed(at) and not self._has_variable(at[0]):
                return at
        return None

    def _comes_before_variable(self, credential: Credential) -> bool:
        """Returns whether a variable is set that ``gateway.auth.*`` comes before.

        One that is not looked at at all comes before one that is.
        """
        places = self._places[credential]
        auth, env = (
            places.index(place) if place in places else -1 for place in (Place.AUTH, Place.ENV)
        )
        return auth < env and self._has_variable(credential)

    def _has_variable(self, credential: Credential) -> bool:
        reader = self._reader
        return any(reader.is_plain(credential, place) for place in reader.variables)

    def _finds_nothing(self, credential: Credential) -> bool:
        return self.found(credential).standing == NOTHING

    def _is_unfollowed(self, at: _At) -> bool:
        """Returns whether a reference stands among its places that it has not followed."""
        return (
            self._reader.reference(*at) is not None
            and at[1] in self._places[at[0]]
            and not self._follows(*at)
        )

    def _follows(self, credential: Credential, place: Place) -> bool:
        return (credential, place) in self.followed

    def _may_authenticate_by(self, credential: Credential) -> bool:
        """Returns whether clients of this machine's gateway can authenticate by a credential.

        Where no mode is set, they can by either.
        """
        stated = self._installation.stated_auth_mode
        if stated is None:
            return True
        if stated is AuthMode.TOKEN:
            return credential is _TOKEN
        if credential is not _PASSWORD:
            return False
        if stated is AuthMode.TRUSTED_PROXY:
            return era.gives_proxy_password(self._version)
        return stated is AuthMode.PASSWORD

    def _is_stated(self, credential: Credential) -> bool:
        """Returns whether the mode of this machine's gateway says that a client here uses it."""
        return (
            self._is_local
            and self._installation.stated_auth_mode is not None
            and self._may_authenticate_by(credential)
        )

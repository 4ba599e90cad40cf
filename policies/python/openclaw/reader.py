"""A program that looks: what stands at a place for it, and what comes first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sdk import precedence
from sdk.precedence import Follows, Ranked, Winner
from sdk.snapshot import Consumer, Location
from wit_world.exports import policy as contract

from . import environment, era
from .installation import Installation, is_set
from .names import Credential, Mode, Place, Program


def everywhere(_: Place) -> bool:
    """Says that a program follows references at every place."""
    return True


def nowhere(_: Place) -> bool:
    """Says that a program follows no references."""
    return False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program gets."""

    standing: contract.Standing
    # What it would get if that copy vanished.
    next: Location | None
    # Where it looked, in its order.
    places: Sequence[Place]

    def failing(self, at: Location | None) -> Answer:
        """Says that the program fails at a reference that should have led to a secret."""
        return self if at is None else self.becoming(contract.Standing_Unresolved(at.id))

    def becoming(self, standing: contract.Standing) -> Answer:
        """Says that something else came out."""
        return replace(self, standing=standing)


class Reader:
    """A consumer that is a program of OpenClaw's.

    It may run without the environment that was observed, such as a hook that is started without
    it; its consumer then has the attribute ``environment = "none"``.
    """

    def __init__(self, installation: Installation, consumer: Consumer, program: Program) -> None:
        observed = installation.snapshot.consumer_attribute(consumer, "environment")
        self.installation = installation
        self.program = program
        self.call = installation.call
        self._has_environment = observed != "none"
        # Whether a service starts it, with variables of its own.
        self._is_service = (
            observed is None and environment.starter(installation, program) is not None
        )
        self._environment = {
            credential: environment.environment(installation, consumer, program, credential)
            for credential in Credential
        }
        self._own_variable = {
            credential: next((place for place in places if place.is_plain), None)
            for credential, places in self._environment.items()
        }
        # What stands at each place: of several files that could set a variable, the one that does.
        self._all = {
            (credential, place): self._all_at(credential, place)
            for credential in Credential
            for place in Place
        }
        self._first = {at: _first_set(found) for at, found in self._all.items()}

    def at(self, credential: Credential, place: Place) -> Location | None:
        """Returns what stands at a place for this program."""
        return self._first[credential, place]

    def is_set(self, credential: Credential, place: Place) -> bool:
        """Returns whether something is configured there, whether or not it leads to a secret."""
        location = self.at(credential, place)
        return location is not None and is_set(location)

    def is_plain(self, credential: Credential, place: Place) -> bool:
        """Returns whether a value stands there, and no reference to one."""
        location = self.at(credential, place)
        return location is not None and location.is_plain

    def is_example(self, credential: Credential, place: Place) -> bool:
        """Returns whether the documentation's example stands there."""
        location = self.at(credential, place)
        return location is not None and location.is_placeholder

    def is_blank(self, credential: Credential, place: Place) -> bool:
        """Returns whether something stands there, but nothing in it."""
        location = self.at(credential, place)
        return location is not None and location.is_empty

    def reference(self, credential: Credential, place: Place) -> Location | None:
        """Returns the place with the reference that stands there."""
        location = self.at(credential, place)
        return None if location is None or location.reference is None else location

    def leads(self, credential: Credential, place: Place) -> bool:
        """Returns whether the reference that stands there leads to a secret."""
        location = self.reference(credential, place)
        if location is None:
            return False
        if self._is_own_variable(credential, location):
            return self._own_variable[credential] is not None
        if location.is_elsewhere:
            return True
        gets = self._has_environment and self._has_variable(location)
        return gets and location.fingerprint is not None

    def order(self, mode: Mode, credential: Credential) -> tuple[Place, ...]:
        """Returns the table's order for this program, without what it does not look at here."""
        installation = self.installation
        return era.order(
            installation.version, self.program, mode, credential, installation.in_service
        )

    def walk(
        self,
        credential: Credential,
        places: Sequence[Place],
        follows: Callable[[Place], bool],
    ) -> Winner:
        """Returns the first place with a secret.

        The program follows the references at the places that ``follows`` names; it passes the
        others over.
        """
        ranking: list[Ranked] = []
        for place in places:
            for location in self._all[credential, place]:
                if not follows(place):
                    ranking.append(Ranked(location, Follows.NONE))
                elif self._is_own_variable(credential, location):
                    own = self._own_variable[credential]
                    if own is not None:
                        ranking.append(Ranked(own))
                elif self._has_environment and self._has_variable(location):
                    ranking.append(Ranked(location))
                else:
                    ranking.append(Ranked(location, Follows.ALL_BUT_VARIABLES))
        return precedence.resolve(ranking)

    def answer(
        self,
        credential: Credential,
        places: Sequence[Place],
        follows: Callable[[Place], bool],
    ) -> Answer:
        """Returns what a walk comes to."""
        winner = self.walk(credential, places, follows)
        return Answer(winner.standing, winner.next, places)

    @property
    def variables(self) -> tuple[Place, ...]:
        """The variables that this client looks at."""
        legacy = (
            self.program is Program.CLI
            and era.takes_legacy_names(self.installation.version)
            and not self.call.forgoes_legacy_names
        )
        return (Place.ENV, Place.LEGACY_ENV) if legacy else (Place.ENV,)

    def _all_at(self, credential: Credential, place: Place) -> list[Location]:
        if place is Place.ENV:
            return self._environment[credential]
        # Nobody embeds the variables of the earlier name.
        if place is Place.LEGACY_ENV and (not self._has_environment or self._is_service):
            return []
        location = self.installation.location(credential.at(place))
        return [] if location is None else [location]

    def _is_own_variable(self, credential: Credential, location: Location) -> bool:
        """Returns whether a reference leads to a variable of which this program has its own.

        It leads to the credential's own variable, and this program has another one than the process
        that was observed: a service has variables of its own, and not every release takes every
        file's.
        """
        reference = location.reference
        if (
            reference is None
            or reference.kind != contract.ReferenceKind.ENVIRONMENT
            or reference.target != credential.key
        ):
            return False
        own = self._own_variable[credential]
        fingerprint = None if own is None else own.fingerprint
        return self._is_service or fingerprint != location.fingerprint

    def _has_variable(self, location: Location) -> bool:
        """Returns whether the variable that a reference names is one that this program gets.

        Of those that only the process, or only the service, has, each sees its own.
        """
        seen = self.installation.snapshot.location_attribute(location, "resolved-in")
        if seen == "process":
            return not self._is_service
        return self._is_service if seen == "service" else True


def _first_set(found: list[Location]) -> Location | None:
    for location in found:
        if not location.is_unset:
            return location
    return found[0] if found else None

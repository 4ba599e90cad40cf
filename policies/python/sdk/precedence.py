"""A ranking of locations: what wins, and what would win next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from wit_world.exports import policy as contract

from .snapshot import Location

NOTHING = contract.Standing_Nothing()
GENERATED = contract.Standing_Generated()
INVALID = contract.Standing_Invalid()


class Follows(Enum):
    """Which references the program follows at a place."""

    ALL = 0
    ALL_BUT_VARIABLES = 1
    NONE = 2


@dataclass(slots=True)
class Ranked:
    """A place that a program looks at.

    At a reference that leads nowhere the program goes on to the next place, as all of OpenClaw's do
    in a walk; those that fail there find out afterwards.
    """

    location: Location
    follows: Follows = Follows.ALL

    def has_secret(self) -> bool:
        """Returns whether the program finds a secret there."""
        location = self.location
        if location.is_plain:
            return True
        if self.follows is Follows.ALL:
            return location.is_elsewhere or location.fingerprint is not None
        return self.follows is Follows.ALL_BUT_VARIABLES and location.is_elsewhere


@dataclass(slots=True)
class Winner:
    """What a ranking comes to: what the reader gets, and what if that place were empty."""

    standing: contract.Standing
    next: Location | None


def resolve(ranking: list[Ranked]) -> Winner:
    """Walks the places in order.

    A place that cannot be read makes the whole invalid: the reader would stop there.
    """
    decided: contract.Standing | None = None
    for ranked in ranking:
        location = ranked.location
        if location.is_unset:
            continue
        has_secret = ranked.has_secret()
        if decided is not None:
            if has_secret:
                return Winner(decided, location)
            if location.is_unreadable:
                return Winner(decided, None)
        elif location.is_unreadable:
            decided = INVALID
        elif has_secret:
            decided = contract.Standing_Copy(location.id)
    return Winner(NOTHING if decided is None else decided, None)

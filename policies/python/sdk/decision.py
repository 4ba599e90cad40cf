"""The decision as a policy builds it."""

from __future__ import annotations

from collections.abc import Iterable

from wit_world.exports import policy as contract

from .snapshot import Location


class Decision:
    """A decision under construction: verdicts, actions and findings."""

    __slots__ = ("verdicts", "actions", "findings")

    def __init__(self) -> None:
        self.verdicts: list[contract.Verdict] = []
        self.actions: list[contract.Action] = []
        self.findings: list[contract.Finding] = []

    def verdict(
        self,
        consumer: int,
        today: contract.Standing,
        wanted: Location | None,
        reason: str,
        next: Location | None = None,
    ) -> None:
        """Says what a consumer uses today, which copy should win, and why."""
        self.verdicts.append(
            contract.Verdict(consumer, today, _id(wanted), reason, _id(next))
        )

    def write_unless_equal(self, source: Location, to: Location, reason: str) -> None:
        """Writes the secret at ``source`` into ``to``, unless that secret is there already.

        A reference is left alone, and so are a place that could not be read and one that cannot be
        written; and a secret that has expired goes nowhere.
        """
        if (
            source.is_plain
            and not source.is_expired
            and source.id != to.id
            and to.writable
            and not to.is_unreadable
            and to.reference is None
            and not to.same_secret(source)
        ):
            self._act(contract.Deed_Write(contract.Transfer(source.id, to.id)), reason)

    def refer(self, source: Location, to: Location, reason: str) -> None:
        """Writes into ``to`` a reference to ``source``."""
        self._act(contract.Deed_Refer(contract.Transfer(source.id, to.id)), reason)

    def remove(self, location: Location, reason: str) -> None:
        """Removes a copy."""
        self._act(contract.Deed_Remove(location.id), reason)

    def finding(
        self,
        severity: contract.Severity,
        code: str,
        message: str,
        *,
        at: Iterable[Location | None] = (),
        remedy: str | None = None,
    ) -> None:
        """Adds a finding; a location that the deployment does not have is left out of ``at``."""
        locations = [location.id for location in at if location is not None]
        self.findings.append(contract.Finding(code, severity, message, remedy, locations))

    def into_contract(self) -> contract.Decision:
        """Returns the contract's record."""
        return contract.Decision(self.verdicts, self.actions, self.findings)

    def _act(self, deed: contract.Deed, reason: str) -> None:
        self.actions.append(contract.Action(deed, reason))


def _id(location: Location | None) -> int | None:
    return None if location is None else location.id

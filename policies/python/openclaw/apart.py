"""Programs that read one credential and get different secrets, where nothing is done about it."""

from __future__ import annotations

from sdk.decision import Decision
from sdk.snapshot import Location, Snapshot
from wit_world.exports import policy as contract

from .installation import Installation


def find(installation: Installation, decision: Decision) -> None:
    """Says which copies they get.

    It does not where the decision changes a copy of the credential, for then the next run sees what
    came of it, or where another finding names one.
    """
    # OpenClaw refuses the configuration whole, and the host says where it cannot be read.
    if not installation.is_readable:
        return
    snapshot = installation.snapshot
    for credential, name in enumerate(snapshot.credentials):
        if not _is_dealt_with(snapshot, decision, credential):
            _compare(snapshot, decision, credential, name)


def _is_dealt_with(snapshot: Snapshot, decision: Decision, credential: int) -> bool:
    def is_of_it(id: int) -> bool:
        location = snapshot.location(id)
        return location is not None and location.credential == credential

    def changes(deed: contract.Deed) -> bool:
        if isinstance(deed, (contract.Deed_Write, contract.Deed_Refer)):
            return is_of_it(deed.value.to)
        if isinstance(deed, (contract.Deed_Remove, contract.Deed_Refresh)):
            return is_of_it(deed.value)
        return isinstance(deed, contract.Deed_Mint) and deed.value.credential == credential

    return any(changes(action.deed) for action in decision.actions) or any(
        any(map(is_of_it, finding.locations)) for finding in decision.findings
    )


def _compare(snapshot: Snapshot, decision: Decision, credential: int, name: str) -> None:
    # By secret: the first copy that holds it, and who gets it.
    copies: dict[int, tuple[Location, list[str]]] = {}
    without: list[str] = []
    wanted: Location | None = None
    for verdict in decision.verdicts:
        consumer = snapshot.consumers[verdict.consumer]
        should = None if verdict.wanted is None else snapshot.location(verdict.wanted)
        if consumer.credential != credential or should is None:
            continue
        wanted = wanted or should
        today = verdict.today
        copy = (
            snapshot.location(today.value) if isinstance(today, contract.Standing_Copy) else None
        )
        if copy is not None and copy.fingerprint is not None:
            copies.setdefault(copy.fingerprint, (copy, []))[1].append(consumer.name)
        elif snapshot.drifts(verdict):
            without.append(consumer.name)
    in_order = [copies[secret] for secret in sorted(copies)]
    sides = [f"{_gets(names)} what {copy.label} holds" for copy, names in in_order]
    if without:
        sides.append(f"{_gets(without)} none")
    if len(sides) < 2 and not without:
        return
    named = {copy.id: copy for copy, _ in in_order}
    if wanted is not None:
        named.setdefault(wanted.id, wanted)
    decision.finding(
        contract.Severity.WARNING,
        "programs-disagree",
        f"programs disagree on {name}: {', '.join(sides)}",
        at=named.values(),
        remedy="put the same secret into these places, or remove those that should not count; "
        "precedent explain --shadows shows what then comes next",
    )


def _gets(names: list[str]) -> str:
    return f"{names[0]} gets" if len(names) == 1 else f"{', '.join(names)} get"

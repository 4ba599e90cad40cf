"""What a consumer gets, why, and what it would get next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sdk.decision import Decision
from sdk.precedence import INVALID, NOTHING
from sdk.snapshot import Consumer, Location
from wit_world.exports import policy as contract

from . import apart, client, server, tui
from .installation import Installation
from .names import CREDENTIALS, PROGRAMS, Credential, Mode, Place, Program
from .reader import Reader


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a consumer gets when it resolves its credential."""

    # What it uses.
    standing: contract.Standing
    # What it would use if that copy vanished.
    next: Location | None
    # Its order in words, such as `cli reads gateway.auth.token, then the environment`.
    order: str
    # Whether it is a program that this package knows.
    known: bool


# The copy that should win for a consumer, and why.
Wanted = Callable[[Consumer, Resolved], tuple[Location | None, str]]

# Whoever is not named here is a client.
_RESOLVERS = {Program.GATEWAY: server.resolve, Program.TUI: tui.resolve}


def resolve(installation: Installation, consumer: Consumer) -> Resolved:
    """Resolves a consumer's credential as the program would.

    A consumer that is no program of OpenClaw's and has no attribute ``program`` gets nothing.
    """
    program = _program(installation, consumer)
    credential = CREDENTIALS.get(consumer.credential_name)
    if program is None or credential is None:
        order = f"{consumer.name} is no program of OpenClaw's"
        return Resolved(NOTHING, None, order, known=False)
    reader = Reader(installation, consumer, program)
    answer = _RESOLVERS.get(program, client.resolve)(reader, credential)
    standing = answer.standing if installation.is_readable else INVALID
    order = _in_words(reader, consumer, credential, answer.places)
    return Resolved(standing, answer.next, order, known=True)


def judge(installation: Installation, decision: Decision, wanted: Wanted) -> None:
    """Adds a verdict for every consumer.

    It says what the consumer uses today, the copy that ``wanted`` names for it, and the reason.
    """
    for consumer in installation.snapshot.consumers:
        resolved = resolve(installation, consumer)
        out_of_reach = _out_of_reach(installation, consumer)
        if out_of_reach is not None:
            copy, why = None, out_of_reach
        elif resolved.known:
            copy, why = wanted(consumer, resolved)
        else:
            decision.finding(
                contract.Severity.WARNING,
                "consumer-unknown",
                f"nothing is known of how {consumer.name} reads its credential, "
                "so nothing is said of it",
                remedy="give the consumer the attribute `program`: "
                "gateway, cli, tui, probe or node-host",
            )
            copy, why = None, "left out"
        decision.verdict(
            consumer.id, resolved.standing, copy, f"{resolved.order}; {why}", resolved.next
        )
    apart.find(installation, decision)


def _program(installation: Installation, consumer: Consumer) -> Program | None:
    """Returns which of OpenClaw's programs a consumer is."""
    said = installation.snapshot.consumer_attribute(consumer, "program")
    return PROGRAMS.get(consumer.name if said is None else said)


def _out_of_reach(installation: Installation, consumer: Consumer) -> str | None:
    """Returns why nothing here says which secret a program should get.

    None where something does.
    """
    program = _program(installation, consumer)
    if program is Program.GATEWAY and installation.mode is Mode.REMOTE:
        return "gateway.mode is remote: no gateway of this configuration runs"
    if program is Program.NODE_HOST and installation.node_connects_to is not None:
        return f"it connects to {installation.node_connects_to}, which is another gateway"
    return None


def _in_words(
    reader: Reader, consumer: Consumer, credential: Credential, places: Sequence[Place]
) -> str:
    """Returns what the places are called, in the program's order.

    A place that hardly anybody uses is named where something stands there.
    """
    installation = reader.installation
    labels: list[str] = []
    for place in places:
        is_rare = place is Place.CALL or place is Place.LEGACY_ENV
        location = reader.at(credential, place)
        if location is not None and (not is_rare or reader.is_set(credential, place)):
            labels.append(location.label)
    mode = " in remote mode" if installation.mode is Mode.REMOTE else ""
    # Which release is meant matters: the orders differ.
    release = f" of {installation.version}" if installation.version_known else ""
    name = f"{consumer.name}{release}"
    if not labels:
        return f"{name} looks nowhere{mode}"
    return f"{name}{mode} reads {', then '.join(labels)}"

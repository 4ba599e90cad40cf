"""Snapshots that are written by hand."""

from __future__ import annotations

from collections.abc import Mapping

from componentize_py_types import Err
from policy import Policy
from wit_world.exports import policy as contract

ABSENT = contract.Presence_Absent()
CREDENTIALS = ["gateway-token", "gateway-password"]


class Text:
    """The text into which the spans of a snapshot point, as far as it is."""

    def __init__(self) -> None:
        self.whole = ""

    def put(self, words: str) -> contract.Span:
        """Returns the span of what is added."""
        span = contract.Span(len(self.whole.encode()), len(words.encode()))
        self.whole += words
        return span


def plain(number: int) -> contract.Presence:
    """Returns the presence of a secret in clear; equal numbers are equal secrets."""
    return contract.Presence_Plain(number)


def snapshot(
    presences: Mapping[str, contract.Presence],
    *,
    settings: str = "{}",
    consumers: tuple[str, ...] = ("gateway", "cli"),
    version: str = "2026.9.6",
) -> contract.Snapshot:
    """Returns a snapshot at a start, whose consumers read the token."""
    text = Text()
    return contract.Snapshot(
        deployment=text.put("test"),
        phase=contract.Phase.START,
        now=0,
        settings=text.put(settings),
        credentials=[text.put(name) for name in CREDENTIALS],
        locations=[_location(name, presence, text) for name, presence in presences.items()],
        consumers=[contract.Consumer(text.put(name), 0, None) for name in consumers],
        location_attributes=[],
        consumer_attributes=[],
        facts=[contract.Fact(text.put("openclaw-version"), text.put(version))],
        text=text.whole,
    )


def decide(record: contract.Snapshot) -> contract.Decision | contract.Refusal:
    """Returns what the component would answer."""
    try:
        return Policy().decide(record)
    except Err as refusal:
        return refusal.value


def _location(name: str, presence: contract.Presence, text: Text) -> contract.Location:
    return contract.Location(
        name=text.put(name),
        credential=1 if name.endswith("password") else 0,
        kind=contract.LocationKind.DOCUMENT,
        label=text.put(name),
        node=None,
        presence=presence,
        expires=None,
        refresh_expires=None,
        modified=None,
        writable=not name.startswith("env."),
        durable=True,
    )

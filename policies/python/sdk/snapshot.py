"""The snapshot as a policy reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wit_world.exports import policy as contract

Reader = Callable[[contract.Span], str]

_UNSET = (contract.Presence_Absent, contract.Presence_Empty, contract.Presence_Placeholder)


def reader(text: str) -> Reader:
    """Returns what reads a span: it counts bytes of UTF-8, a string counts characters."""
    if text.isascii():
        return lambda span: text[span.offset : span.offset + span.length]
    whole = text.encode()
    return lambda span: whole[span.offset : span.offset + span.length].decode()


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference that stands where a secret could."""

    kind: contract.ReferenceKind
    target: str
    resolved: int | None


class Location:
    """A location with its position in the snapshot.

    What follows from its presence is worked out once, for resolvers ask for it again and again:

    - ``fingerprint``: the equality class of the secret that a reader would get here, from the plain
      copy or from what the reference leads to;
    - ``is_plain``: whether a secret stands here in clear;
    - ``is_unset``: whether a reader finds nothing to use, be it absent, empty or a placeholder;
    - ``is_expired``: whether the secret that stands here is no longer valid; the host lets none
      such be copied;
    - ``is_unreadable``: whether the place could not be read;
    - ``reference``: the reference that stands here;
    - ``is_elsewhere``: whether a reference stands here that the host may not follow, to a file, a
      command or a store: a reader gets a secret, but which one is not known.
    """

    __slots__ = (
        "id",
        "name",
        "credential",
        "label",
        "presence",
        "writable",
        "fingerprint",
        "is_plain",
        "is_expired",
        "is_unset",
        "is_unreadable",
        "reference",
        "is_elsewhere",
    )

    def __init__(self, id: int, record: contract.Location, now: int, text: Reader) -> None:
        presence = record.presence
        self.id = id
        self.name = text(record.name)
        self.credential = record.credential
        self.label = text(record.label)
        self.presence = presence
        self.writable = record.writable
        self.fingerprint: int | None = None
        self.is_plain = isinstance(presence, contract.Presence_Plain)
        self.is_expired = record.expires is not None and record.expires <= now
        self.is_unset = isinstance(presence, _UNSET)
        self.is_unreadable = isinstance(presence, contract.Presence_Unreadable)
        self.reference: Reference | None = None
        self.is_elsewhere = False
        if isinstance(presence, contract.Presence_Plain):
            self.fingerprint = presence.value
        elif isinstance(presence, contract.Presence_Reference):
            reference = presence.value
            target = text(reference.target)
            self.reference = Reference(reference.kind, target, reference.resolved)
            self.fingerprint = reference.resolved
            self.is_elsewhere = (
                reference.resolved is None
                and reference.kind != contract.ReferenceKind.ENVIRONMENT
            )

    @property
    def is_placeholder(self) -> bool:
        """Whether a value from the documentation stands here."""
        return isinstance(self.presence, contract.Presence_Placeholder)

    @property
    def is_empty(self) -> bool:
        """Whether something stands here, but nothing in it."""
        return isinstance(self.presence, contract.Presence_Empty)

    @property
    def is_absent(self) -> bool:
        """Whether nothing stands here."""
        return isinstance(self.presence, contract.Presence_Absent)

    @property
    def declared_name(self) -> str:
        """The name under which the location was declared.

        What the host discovered for itself, such as a drop-in of a unit, is called
        ``DECLARED@FILE``.
        """
        return self.name.partition("@")[0]

    def same_secret(self, other: Location) -> bool:
        """Returns whether both hold the same secret; false where either holds none."""
        return self.fingerprint is not None and self.fingerprint == other.fingerprint


class Consumer:
    """A consumer with its position in the snapshot, and the name of its credential."""

    __slots__ = ("id", "name", "credential", "credential_name")

    def __init__(
        self, id: int, record: contract.Consumer, credentials: list[str], text: Reader
    ) -> None:
        known = record.credential < len(credentials)
        self.id = id
        self.name = text(record.name)
        self.credential = record.credential
        self.credential_name = credentials[record.credential] if known else ""


class Snapshot:
    """All that a policy knows, with look-ups by name.

    Where a name stands twice, the first counts.
    """

    __slots__ = (
        "phase",
        "settings",
        "credentials",
        "locations",
        "consumers",
        "_by_name",
        "_facts",
        "_of_locations",
        "_of_consumers",
    )

    def __init__(self, record: contract.Snapshot) -> None:
        text = reader(record.text)
        self.phase = record.phase
        self.settings = text(record.settings)
        # What reads or holds one names it by its position.
        self.credentials = [text(name) for name in record.credentials]
        self.locations = [
            Location(id, each, record.now, text) for id, each in enumerate(record.locations)
        ]
        self.consumers = [
            Consumer(id, each, self.credentials, text) for id, each in enumerate(record.consumers)
        ]
        # The last one to be put into a dict stays, so the lists are walked from behind.
        self._by_name = {each.name: each for each in reversed(self.locations)}
        self._facts = {text(each.key): text(each.value) for each in reversed(record.facts)}
        self._of_locations = _attributes(record.location_attributes, text)
        self._of_consumers = _attributes(record.consumer_attributes, text)

    def location(self, id: int) -> Location | None:
        """Returns the location with this number."""
        return self.locations[id] if id < len(self.locations) else None

    def location_named(self, name: str) -> Location | None:
        """Returns the location with this name."""
        return self._by_name.get(name)

    def drifts(self, verdict: contract.Verdict) -> bool:
        """Returns whether a consumer would today not get the secret that the verdict wants.

        It would get another one, none where it wants one, or fail. A secret that is not known is no
        drift. The host counts alike.
        """
        today = verdict.today
        if isinstance(today, (contract.Standing_Unresolved, contract.Standing_Invalid)):
            return True
        if verdict.wanted is None:
            return False
        if not isinstance(today, contract.Standing_Copy):
            return True
        copy, wanted = self.location(today.value), self.location(verdict.wanted)
        if copy is not None and copy.is_elsewhere:
            return False
        return _fingerprint(copy) != _fingerprint(wanted)

    def fact(self, key: str) -> str | None:
        """Returns a fact by its key."""
        return self._facts.get(key)

    def location_attribute(self, location: Location, key: str) -> str | None:
        """Returns an attribute of a location."""
        return self._of_locations.get((location.id, key))

    def consumer_attribute(self, consumer: Consumer, key: str) -> str | None:
        """Returns an attribute of a consumer."""
        return self._of_consumers.get((consumer.id, key))


def _fingerprint(location: Location | None) -> int | None:
    return None if location is None else location.fingerprint


def _attributes(
    attributes: list[contract.Attribute], text: Reader
) -> dict[tuple[int, str], str]:
    return {(each.owner, text(each.key)): text(each.value) for each in reversed(attributes)}

"""The contract's records, made pleasant: look-ups by name on the way in, numbers on the way out.

The records themselves are described in wit/v1/policy.wit; `wit_world` is what componentize-py makes
of it (`.venv/bin/componentize-py -d wit/v1 -w token-policy bindings .` writes it down for editors).
"""

import json
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from componentize_py_types import Err
from wit_world.exports import policy as wit
from wit_world.exports.policy import Severity, Standing

Settings = dict[str, Any]


@dataclass
class Location:
    """A place that can hold a copy, and what was seen there."""

    id: int  # what the decision names it by
    name: str  # such as env.api-key
    label: str  # the place in the operator's words
    target: str | None  # what the reference here names
    record: wit.Location  # credential, kind, presence, writable, durable, ...
    attributes: dict[str, str]
    now: int

    @property
    def is_plain(self) -> bool:
        """Whether a secret stands here in clear."""
        return isinstance(self.record.presence, wit.Presence_Plain)

    @property
    def is_unset(self) -> bool:
        """Whether a reader finds nothing to use."""
        nothing = (wit.Presence_Absent, wit.Presence_Empty, wit.Presence_Placeholder)
        return isinstance(self.record.presence, nothing)

    @property
    def is_unreadable(self) -> bool:
        """Whether the place could not be read."""
        return isinstance(self.record.presence, wit.Presence_Unreadable)

    @property
    def is_expired(self) -> bool:
        """Whether the secret here has stopped being valid."""
        return self.record.expires is not None and self.record.expires <= self.now

    @property
    def reference(self) -> wit.Reference | None:
        """The reference that stands here."""
        presence = self.record.presence
        return presence.value if isinstance(presence, wit.Presence_Reference) else None

    @property
    def secret(self) -> int | None:
        """Equal numbers are equal secrets; also what a reference leads to."""
        presence = self.record.presence
        if isinstance(presence, wit.Presence_Plain):
            return presence.value
        return self.reference.resolved if self.reference else None

    def same_secret(self, other: "Location") -> bool:
        """Whether both hold the same secret."""
        return self.secret is not None and self.secret == other.secret


@dataclass
class Consumer:
    """A program that reads a credential."""

    id: int  # what the decision names it by
    name: str  # such as server
    record: wit.Consumer  # credential
    attributes: dict[str, str]


class Snapshot:
    """All that a policy knows."""

    def __init__(self, record: wit.Snapshot) -> None:
        self.record = record  # phase, now, ...
        self.now = record.now
        # All strings are one text, and spans count its bytes.
        whole = record.text.encode()

        def text(span: wit.Span) -> str:
            return whole[span.offset : span.offset + span.length].decode()

        def target(presence: wit.Presence) -> str | None:
            named = isinstance(presence, wit.Presence_Reference)
            return text(presence.value.target) if named else None

        self.deployment = text(record.deployment)
        self.settings = text(record.settings)
        self.credentials = [text(name) for name in record.credentials]
        self.facts = {text(fact.key): text(fact.value) for fact in record.facts}
        attributes = [{} for _ in record.locations], [{} for _ in record.consumers]
        for of, said in zip(attributes, (record.location_attributes, record.consumer_attributes)):
            for one in said:
                of[one.owner][text(one.key)] = text(one.value)
        self.locations = [
            Location(id, text(one.name), text(one.label), target(one.presence), one, own, self.now)
            for id, (one, own) in enumerate(zip(record.locations, attributes[0]))
        ]
        self.consumers = [
            Consumer(id, text(one.name), one, own)
            for id, (one, own) in enumerate(zip(record.consumers, attributes[1]))
        ]

    def location(self, name: str) -> Location | None:
        """The location with this name."""
        return next((one for one in self.locations if one.name == name), None)

    def locations_of(self, credential: int) -> list[Location]:
        """The locations of one credential."""
        return [one for one in self.locations if one.record.credential == credential]


def reading(places: Iterable[Location | None]) -> tuple[Standing, Location | None]:
    """What a program gets that looks at these places in turn, and the copy that would win next."""
    today: Standing | None = None
    for place in places:
        if place is None or place.is_unset:
            continue
        # A reference to a file, a command or a store leads to a secret, but nobody says which.
        reference = place.reference
        elsewhere = reference is not None and reference.kind != wit.ReferenceKind.ENVIRONMENT
        found = place.secret is not None or elsewhere
        if today is not None:
            return today, place if found else None
        if place.is_unreadable:
            today = wit.Standing_Invalid()
        else:
            today = wit.Standing_Copy(place.id) if found else wit.Standing_Unresolved(place.id)
    return today or wit.Standing_Nothing(), None


@dataclass
class Decision:
    """The decision as a policy builds it."""

    verdicts: list[wit.Verdict] = field(default_factory=list)
    actions: list[wit.Action] = field(default_factory=list)
    findings: list[wit.Finding] = field(default_factory=list)

    def verdict(
        self,
        consumer: Consumer,
        read: tuple[Standing, Location | None],
        wanted: Location | None,
        reason: str,
    ) -> None:
        """Says what a consumer uses today, which copy should win, and why. One for every consumer."""
        today, then = read
        want, following = (one and one.id for one in (wanted, then))
        self.verdicts.append(wit.Verdict(consumer.id, today, want, reason, following))

    def write_unless_equal(self, source: Location, to: Location, reason: str) -> bool:
        """Writes the secret at `source` into `to`, unless it is there already.

        A reference, a place that could not be read and one that cannot be written are left alone, and
        a secret that has expired goes nowhere. Returns whether there was something to do.
        """
        is_open = to.record.writable and not to.is_unreadable and to.reference is None
        is_source = source.is_plain and not source.is_expired and source.id != to.id
        if not (is_source and is_open) or source.same_secret(to):
            return False
        self.act(wit.Deed_Write(wit.Transfer(source.id, to.id)), reason)
        return True

    def act(self, deed: wit.Deed, reason: str) -> None:
        """Adds an action."""
        self.actions.append(wit.Action(deed, reason))

    def finding(
        self,
        severity: Severity,
        code: str,
        message: str,
        locations: Iterable[Location] = (),
        remedy: str | None = None,
    ) -> None:
        """Says what the operator should know: a stable word, and a sentence."""
        ids = [location.id for location in locations]
        self.findings.append(wit.Finding(code, severity, message, remedy, ids))


class Refusal(Exception):
    """Says no: do not start, do not restart."""

    def __init__(self, code: str, reason: str, remedy: str | None = None) -> None:
        super().__init__(reason)
        self.record = wit.Refusal(code, reason, remedy, [])


def policy_of(
    name: str,
    version: str,
    decide: Callable[[Snapshot, Settings], Decision],
    settings: dict[str, Any] | None = None,
    check: Callable[[Settings], list[str]] = lambda settings: [],
) -> type:
    """Makes the exports of a policy.

    `settings` is the JSON Schema of what a deployment may set: its `properties` are the keys that are
    known. `check` may look closer, and returns what is wrong.
    """
    schema = {"type": "object", "properties": {}, "additionalProperties": False, **(settings or {})}

    class Policy:
        def describe(self) -> wit.About:
            return wit.About(name, version, json.dumps(schema))

        def validate_settings(self, text: str) -> None:
            given = json.loads(text or "{}")
            known = list(schema["properties"])
            expected = f"expected one of `{'`, `'.join(known)}`" if known else "there are none"
            faults = [f"unknown field `{key}`, {expected}" for key in given if key not in known]
            faults = faults or check(given)
            if faults:
                raise Err(faults)

        def decide(self, record: wit.Snapshot) -> wit.Decision:
            try:
                snapshot = Snapshot(record)
                decision = decide(snapshot, json.loads(snapshot.settings or "{}"))
                if not isinstance(decision, Decision):
                    raise TypeError("decide returned no Decision")
            except Refusal as refusal:
                raise Err(refusal.record) from None
            except Exception as error:
                raise Err(_mistake(error).record) from None
            return wit.Decision(decision.verdicts, decision.actions, decision.findings)

    return Policy


def _mistake(error: Exception) -> Refusal:
    """Says where the policy itself went wrong: of a crash the host learns nothing."""
    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{where.name} ({where.filename.rsplit('/')[-1]}:{where.lineno})"
    remedy = "mend the policy, then: precedent policy build"
    return Refusal("policy-error", f"{type(error).__name__}: {error} (at {place})", remedy)


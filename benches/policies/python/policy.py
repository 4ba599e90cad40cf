"""The reference policy in Python: the rules of `policies/rust`."""

from precedent import Decision, Location, Settings, Severity, Snapshot, policy_of, reading
from wit_world.exports import policy as wit

Kind = wit.LocationKind

# The kinds of places that a program looks at, in its order.
ORDERS = {
    "gateway": [Kind.DOCUMENT, Kind.ENVIRONMENT],
    "cli": [Kind.ENVIRONMENT, Kind.DOCUMENT, Kind.DOTENV],
    "tui": [Kind.DOCUMENT, Kind.DOTENV, Kind.ENVIRONMENT],
    "probe": [Kind.DOTENV, Kind.ENVIRONMENT, Kind.DOCUMENT],
}
OTHERS = [Kind.UNIT, Kind.ENVIRONMENT, Kind.DOCUMENT]


def decide(snapshot: Snapshot, settings: Settings) -> Decision:
    decision = Decision()
    copies: list[list[Location]] = [[] for _ in snapshot.record.credentials]
    for location in snapshot.locations:
        copies[location.record.credential].append(location)
    truths = [next(filter(is_truth, places), None) for places in copies]
    for consumer in snapshot.consumers:
        name, credential = consumer.name, consumer.record.credential
        order = ORDERS.get(name, OTHERS)
        places = [p for kind in order for p in copies[credential] if p.record.kind == kind]
        read = reading(places)
        truth = truths[credential]
        reason = f"{name} finds no copy"
        if isinstance(read[0], wit.Standing_Copy):
            reason = f"{name} reads {snapshot.locations[read[0].value].label}"
            if truth:
                reason += f"; {truth.label} is the source of truth"
        decision.verdict(consumer, read, truth, reason)
    for truth, places in zip(truths, copies):
        if truth is not None:
            follow(decision, truth, places)
    return decision


def is_truth(copy: Location) -> bool:
    return copy.record.kind == Kind.ENVIRONMENT and copy.is_plain


def follow(decision: Decision, truth: Location, copies: list[Location]) -> None:
    for copy in copies:
        if copy is truth or copy.same_secret(truth):
            continue
        reason = f"{copy.label} follows {truth.label}"
        if not decision.write_unless_equal(truth, copy, reason):
            message = f"{copy.label} does not follow {truth.label}"
            decision.finding(Severity.WARNING, "left-alone", message, [copy])


Policy = policy_of("{{name}}", "0.1.0", decide)

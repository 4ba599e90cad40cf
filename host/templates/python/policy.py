"""The environment wins where it is set, and the other copies follow."""

from precedent import Decision, Settings, Severity, Snapshot, policy_of, reading


def decide(snapshot: Snapshot, settings: Settings) -> Decision:
    decision = Decision()
    env = snapshot.location("env.api-key")
    source = env if env and env.is_plain and not env.is_expired else None
    why = "the environment wins" if source else "no key in the environment"
    for consumer in snapshot.consumers:
        names = consumer.attributes.get("reads", "").split(" ")
        read = reading(snapshot.location(name) for name in names)
        decision.verdict(consumer, read, source, why)
    if source is None:
        message = "API_KEY is not set, or has expired; no copy is written"
        decision.finding(Severity.WARNING, "environment-not-set", message)
        return decision
    for copy in snapshot.locations_of(source.record.credential):
        follows = decision.write_unless_equal(source, copy, "follows the environment")
        if not follows and not copy.same_secret(source):
            message = f"{copy.label} does not follow: it cannot be written"
            decision.finding(Severity.WARNING, "copy-left-alone", message, [copy])
    return decision


Policy = policy_of("{{name}}", "0.1.0", decide)

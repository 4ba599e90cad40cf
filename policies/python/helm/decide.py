"""The decision as a whole."""

from __future__ import annotations

from openclaw import holes
from openclaw.installation import Installation
from openclaw.names import Credential, Place
from openclaw.resolve import Resolved, judge
from sdk.decision import Decision
from sdk.snapshot import Consumer, Location, Snapshot
from wit_world.exports.policy import Standing_Copy

from .authority import authority
from .copies import follow
from .settings import Persist


def decide(snapshot: Snapshot, persist: Persist) -> Decision:
    """Returns what each program uses and should use, what is to be done, and the findings."""
    installation = Installation(snapshot)
    decision = Decision()
    source = authority(installation, decision)
    # A configuration of which a part cannot be read is not touched at all; the host's own finding
    # names file, line and column.
    if source is not None and installation.is_readable:
        for place in (Place.AUTH, Place.REMOTE):
            copy = installation.location(Credential.TOKEN.at(place))
            if copy is not None:
                follow(installation, persist, source, copy, decision)
    if source is not None:
        holes.version(installation, decision)

    def wanted(consumer: Consumer, resolved: Resolved) -> tuple[Location | None, str]:
        if source is not None and consumer.credential_name == Credential.TOKEN.value:
            return source, f"{source.label} is the source of truth"
        standing = resolved.standing
        today = snapshot.location(standing.value) if isinstance(standing, Standing_Copy) else None
        return today, "left as it is"

    judge(installation, decision, wanted)
    return decision

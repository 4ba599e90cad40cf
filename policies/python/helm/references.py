"""Why a reference is left alone."""

from __future__ import annotations

from sdk.decision import Decision
from sdk.snapshot import Location
from wit_world.exports.policy import Severity


def keep(source: Location, copy: Location, decision: Decision) -> None:
    """Says why a reference is left alone, and whether it leads where it should."""
    target = "" if copy.reference is None else copy.reference.target
    severity, code, leads = _judge(source, copy)
    remedy = (
        f"let it refer to {source.label}, or see to it that {target} leads to that token"
        if severity is not Severity.INFO
        else None
    )
    decision.finding(
        severity,
        code,
        f"{copy.label} refers to {target}, {leads}; a reference is not replaced",
        at=[copy],
        remedy=remedy,
    )


def _judge(source: Location, copy: Location) -> tuple[Severity, str, str]:
    if copy.same_secret(source):
        return Severity.INFO, "reference-kept", "which leads to the same token"
    if copy.fingerprint is not None:
        leads = f"which leads to another token than {source.label}"
        return Severity.ERROR, "reference-differs", leads
    if copy.is_elsewhere:
        return Severity.WARNING, "reference-kept", "which is not followed from here"
    return Severity.ERROR, "reference-unresolved", "which leads nowhere"

"""What OpenClaw's own diagnostics do not show."""

from __future__ import annotations

from sdk.decision import Decision
from wit_world.exports.policy import Severity

from .installation import Installation
from .version import NEWEST

_SAY_IT = (
    "say it: --attribute openclaw-version=2026.9.6, or [deployment.attributes] in the manifest"
)


def version(installation: Installation, decision: Decision) -> None:
    """Says which release is taken for granted, where that is not sure."""
    told = installation.version
    if not installation.version_known:
        said = installation.snapshot.fact("openclaw-version")
        if said is not None:
            decision.finding(
                Severity.ERROR,
                "version-invalid",
                f"`{said}` is no release of OpenClaw (they are YEAR.MONTH.NUMBER); "
                f"its programs are taken to read as those of {told}",
                remedy=_SAY_IT,
            )
        else:
            decision.finding(
                Severity.INFO,
                "version-unknown",
                "the version of OpenClaw is not known here; "
                f"its programs are taken to read as those of {told}",
                remedy=_SAY_IT,
            )
    elif told > NEWEST:
        decision.finding(
            Severity.INFO,
            "version-newer",
            f"OpenClaw {told} is newer than any that was measured; "
            f"its programs are taken to read as those of {NEWEST}",
            remedy="compare what explain says with openclaw gateway call health",
        )

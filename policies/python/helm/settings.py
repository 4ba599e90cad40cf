"""The deployment's parameters."""

from __future__ import annotations

from enum import Enum

from sdk import settings

SCHEMA = """\
{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "Settings of the helm policy",
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "persist": {
      "description": "What is kept on the volume: the token in both gateway.auth.token and \
gateway.remote.token; in gateway.remote.token only, a stale gateway.auth.token being removed; \
a reference to the variable in both, no plain text; or no plain copy at all.",
      "enum": ["both", "remote-only", "reference", "none"],
      "default": "both"
    }
  }
}
"""


class Persist(Enum):
    """What is kept on the volume."""

    # `gateway.auth.token` and `gateway.remote.token` hold the token.
    BOTH = "both"
    # `gateway.remote.token` holds the token; a stale `gateway.auth.token` is removed.
    REMOTE_ONLY = "remote-only"
    # Both hold a reference to the variable: no plain text on disk.
    REFERENCE = "reference"
    # Neither holds a plain copy.
    NONE = "none"


_NAMES = [persist.value for persist in Persist]


def read(text: str) -> Persist:
    """Returns the one setting that there is.

    Raises ``SettingsError`` where the text holds anything else.
    """
    members = settings.record(settings.parse(text), ["persist"])
    if "persist" not in members:
        return Persist.BOTH
    return Persist(settings.choice("persist", members["persist"], _NAMES))

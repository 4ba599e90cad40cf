"""The deployment's settings, read as strictly as the Rust policies read theirs.

JSON has more than one form for the same thing there: a record is an object or the list of its
values in order, and a choice is its name or an object ``{NAME: null}``. What one policy takes, its
twin in another language must take too.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from .text import trim

# A guest has little stack, and no settings that are taken go deeper than a few levels.
_MOST_BRACKETS = 127


class SettingsError(Exception):
    """The settings are not the policy's own; ``faults`` says why, in words for the operator."""

    def __init__(self, *faults: str) -> None:
        super().__init__(*faults)
        # Half of a surrogate pair can be written in JSON, but not handed to the host.
        self.faults = [fault.encode("utf-8", "replace").decode("utf-8") for fault in faults]


class _Object(tuple[tuple[str, Any], ...]):
    """The members of a JSON object, with those that stand twice."""


def parse(text: str) -> Any:
    """Returns the JSON value that the text holds; an empty object where the text is blank.

    Raises ``SettingsError`` where it is no JSON.
    """
    if not trim(text):
        return _Object()
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        raise SettingsError("the settings are nested too deeply")
    try:
        return json.loads(text, object_pairs_hook=_Object, parse_constant=_refuse)
    except ValueError as error:
        # The place is one in the host's JSON, which nobody wrote.
        what = str(error).partition(": line ")[0]
        raise SettingsError(f"the settings are no JSON: {what}") from None


def record(value: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Returns the values of a record by their keys; one that is left out is not among them.

    Raises ``SettingsError`` where a key is unknown or stands twice.
    """
    expected = ", ".join(f"`{key}`" for key in keys)
    if isinstance(value, _Object):
        read: dict[str, Any] = {}
        for key, each in value:
            if key not in keys:
                raise SettingsError(f"unknown field `{key}`, expected {expected}")
            if key in read:
                raise SettingsError(f"duplicate field `{key}`")
            read[key] = each
        return read
    if isinstance(value, list):
        if len(value) > len(keys):
            raise SettingsError(f"{len(value)} values, expected only {expected}")
        return dict(zip(keys, value))
    raise SettingsError(f"invalid type: {_kind(value)}, expected an object with {expected}")


def choice(key: str, value: Any, names: Sequence[str]) -> str:
    """Returns which of the names the value at a key is.

    Raises ``SettingsError`` where it is none of them.
    """
    if isinstance(value, _Object) and len(value) == 1 and value[0][1] is None:
        value = value[0][0]
    expected = "one of " + ", ".join(f"`{name}`" for name in names)
    if not isinstance(value, str):
        raise SettingsError(f"`{key}`: invalid type: {_kind(value)}, expected {expected}")
    if value not in names:
        raise SettingsError(f"`{key}`: unknown variant `{value}`, expected {expected}")
    return value


def _refuse(constant: str) -> Any:
    # NaN and the infinities, which Python takes and JSON does not have.
    raise ValueError(f"{constant} is no value")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return f'string "{value}"'
    return "object" if isinstance(value, _Object) else "list"

"""OpenClaw's dates as versions."""

from __future__ import annotations

import re
from typing import NamedTuple

from sdk.text import WHITE_SPACE, trim

_BETWEEN_WORDS = re.compile(f"[{WHITE_SPACE}(),]")
_AFTER_RELEASE = re.compile("[-+]")
_NUMBER = re.compile("0*([0-9]{1,5})")
_LARGEST = 0xFFFF


class Version(NamedTuple):
    """A release of OpenClaw: year, month, number in the month."""

    year: int
    month: int
    number: int

    def __str__(self) -> str:
        return f"{self.year}.{self.month}.{self.number}"


# The newest release whose behaviour was measured; stands in where the version is unknown.
NEWEST = Version(2026, 9, 6)
# The first release on which a SecretRef to a variable was seen to serve as `gateway.auth.token`.
KNOWS_REFERENCES = Version(2026, 3, 8)


def parse(text: str) -> Version | None:
    """Reads ``2026.9.6``, also with a leading ``v`` or a suffix such as ``-beta.1``.

    None where the text is no ``YEAR.MONTH.NUMBER``.
    """
    release = _AFTER_RELEASE.split(trim(text).lstrip("v"), maxsplit=1)[0]
    parts = release.split(".")
    if len(parts) != 3:
        return None
    year, month, number = (_number(part) for part in parts)
    if year is None or month is None or number is None:
        return None
    return Version(year, month, number) if year >= 2024 and 1 <= month <= 12 else None


def in_text(text: str) -> Version | None:
    """Returns the first release that a text speaks of, such as ``OpenClaw Gateway (v2026.3.8)``."""
    for word in _BETWEEN_WORDS.split(text):
        version = parse(word)
        if version is not None:
            return version
    return None


def _number(text: str) -> int | None:
    # Not `int`: it takes signs, underscores and the digits of other scripts.
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    number = int(match[1])
    return number if number <= _LARGEST else None

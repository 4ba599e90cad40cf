"""Which texts speak of a release: the same as for the policies in Rust."""

import unittest

from openclaw.version import Version, in_text

RELEASES = {
    "2026.9.6": Version(2026, 9, 6),
    "vv2026.10.1-beta.2": Version(2026, 10, 1),
    "OpenClaw Gateway (v2026.3.8)": Version(2026, 3, 8),
    "latest, 2026.3.8,2026.9.6": Version(2026, 3, 8),
    "02026.09.006+build": Version(2026, 9, 6),
    "2026.9.65535": Version(2026, 9, 65535),
    "x\u0085\u00a02026.9.6": Version(2026, 9, 6),
}

NONE = [
    "",
    "2026.9",
    "2026.9.6.1",
    "2026.nine.6",
    "2026.9.65536",
    "2026.9." + "9" * 5000,
    "2026.13.1",
    "2026.0.1",
    "2023.1.1",
    "+2026.9.6",
    "2026.9.1_0",
    "2026.9.\u0666",
    "x\u001c2026.9.6",
]


class Versions(unittest.TestCase):
    def test_releases(self):
        for text, version in RELEASES.items():
            self.assertEqual(in_text(text), version, text)

    def test_what_is_none(self):
        for text in NONE:
            self.assertIsNone(in_text(text), text[:50])


if __name__ == "__main__":
    unittest.main()

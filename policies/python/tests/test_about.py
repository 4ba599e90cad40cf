"""What the policy says of itself: the same as the one in Rust."""

import tomllib
import unittest
from pathlib import Path

from policy import Policy

_REPOSITORY = Path(__file__).resolve().parents[3]


class About(unittest.TestCase):
    def test_it_is_that_of_the_crate(self):
        crate = _REPOSITORY / "policies" / "helm"
        workspace = tomllib.loads((_REPOSITORY / "Cargo.toml").read_text())
        about = Policy().describe()
        self.assertEqual(about.name, crate.name)
        self.assertEqual(about.version, workspace["workspace"]["package"]["version"])
        schema = (crate / "src" / "settings.schema.json").read_text()
        self.assertEqual(about.settings_schema, schema)

    def test_its_grants_are_those_of_the_preset(self):
        preset = tomllib.loads((_REPOSITORY / "host/presets/openclaw.toml").read_text())
        manifest = tomllib.loads((_REPOSITORY / "policies/python/precedent.toml").read_text())
        self.assertEqual(manifest["grants"], preset["grants"]["helm"])


if __name__ == "__main__":
    unittest.main()

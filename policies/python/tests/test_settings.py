"""Which settings are taken: the same as by the policy in Rust."""

import unittest

from componentize_py_types import Err
from policy import Policy

TAKEN = [
    "",
    " \u00a0",
    "{}",
    "[]",
    '{"persist": "remote-only"}',
    '{"persist": {"none": null}}',
    '["reference"]',
    '[{"both": null}]',
    '{"\\u0070ersist": "both"}',
]

REFUSED = {
    "\u001c": "no JSON",
    "null": "expected an object with `persist`",
    "{": "no JSON",
    '{"persist": NaN}': "NaN is no value",
    '{"persist": null}': "`persist`: invalid type: null, expected one of `both`",
    '{"persist": "Both"}': "`persist`: unknown variant `Both`, expected one of `both`",
    '{"persist": {"both": 0}}': "`persist`: invalid type",
    '{"persist": {"both": null, "none": null}}': "`persist`: invalid type",
    '{"persist": "both", "persist": "both"}': "duplicate field `persist`",
    '{"presist": "both"}': "unknown field `presist`, expected `persist`",
    '{"\\ud800": "both"}': "unknown field `?`",
    '["both", "both"]': "2 values, expected only `persist`",
    "[" * 100_000: "nested too deeply",
}


class Settings(unittest.TestCase):
    def test_taken(self):
        for text in TAKEN:
            with self.subTest(text):
                Policy().validate_settings(text)

    def test_refused(self):
        for text, why in REFUSED.items():
            with self.subTest(text[:50]), self.assertRaises(Err) as refused:
                Policy().validate_settings(text)
            self.assertIn(why, "; ".join(refused.exception.value))


if __name__ == "__main__":
    unittest.main()

"""What the policy answers, in a few snapshots; the cases of ``policies/helm`` are the rest."""

import unittest

from wit_world.exports import policy as contract

from .snapshots import ABSENT, decide, plain, snapshot

STALE = {
    "env.gateway-token": plain(0),
    "config.auth-token": ABSENT,
    "config.remote-token": plain(1),
}


class Decide(unittest.TestCase):
    def test_copies_follow_the_variable(self):
        decision = decide(snapshot(STALE))
        self.assertEqual(
            [action.deed for action in decision.actions],
            [
                contract.Deed_Write(contract.Transfer(from_=0, to=1)),
                contract.Deed_Write(contract.Transfer(from_=0, to=2)),
            ],
        )
        self.assertEqual([finding.code for finding in decision.findings], ["token-rotated"])
        self.assertEqual(
            [verdict.reason for verdict in decision.verdicts],
            [
                "gateway of 2026.9.6 reads config.auth-token, then env.gateway-token, "
                "then config.remote-token; env.gateway-token is the source of truth",
                "cli of 2026.9.6 reads config.auth-token, then env.gateway-token, "
                "then config.remote-token; env.gateway-token is the source of truth",
            ],
        )

    def test_persist_none_removes_plain_copies(self):
        decision = decide(snapshot(STALE, settings='{"persist": "none"}'))
        deeds = [action.deed for action in decision.actions]
        self.assertEqual(deeds, [contract.Deed_Remove(2)])

    def test_without_a_variable_nothing_is_touched(self):
        decision = decide(snapshot({**STALE, "env.gateway-token": ABSENT}))
        self.assertEqual(decision.actions, [])
        self.assertEqual([finding.code for finding in decision.findings], ["token-not-set"])

    def test_wrong_settings_are_refused(self):
        refusal = decide(snapshot(STALE, settings='{"persist": "bth"}'))
        self.assertEqual(refusal.code, "settings")
        self.assertIn("`persist`: unknown variant `bth`", refusal.reason)


if __name__ == "__main__":
    unittest.main()

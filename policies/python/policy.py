"""The component's exports: the helm policy as the contract has it."""

import helm
from componentize_py_types import Err
from helm import decide, settings
from sdk.settings import SettingsError
from sdk.snapshot import Snapshot
from wit_world import exports
from wit_world.exports import policy as contract


class Policy(exports.Policy):
    """The interface ``policy`` of the world ``token-policy``."""

    def describe(self) -> contract.About:
        """Says what the policy is."""
        return contract.About(helm.NAME, helm.VERSION, settings.SCHEMA)

    def validate_settings(self, text: str) -> None:
        """Checks the settings; raises ``Err`` with what is wrong."""
        try:
            settings.read(text)
        except SettingsError as error:
            raise Err(error.faults) from None

    def decide(self, record: contract.Snapshot) -> contract.Decision:
        """Decides; raises ``Err`` with a refusal.

        The host validates settings first, so the one for wrong settings is seen only when it is
        skipped.
        """
        snapshot = Snapshot(record)
        try:
            persist = settings.read(snapshot.settings)
        except SettingsError as error:
            reason = "; ".join(error.faults)
            raise Err(contract.Refusal("settings", reason, None, [])) from None
        return decide.decide(snapshot, persist).into_contract()

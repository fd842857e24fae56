"""A tenant's settings as the ledger tells them: what was in force at each place."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ledgix.formats.events import EventKind
from ledgix_vault.store.crosscheck.reading import entries_of_kinds
from ledgix_vault.tenancy.settings import ReviewSettings


@dataclass(frozen=True, slots=True)
class SettingsHistory:
    """The settings after each entry that changed them; before the first, the defaults."""

    positions: Sequence[int]
    settings: Sequence[ReviewSettings]

    @classmethod
    def load(cls, connection: Connection, tenant_id: str) -> SettingsHistory:
        """Raises what reading a changed entry raises."""
        positions, settings = [], []
        for entry in entries_of_kinds(connection, tenant_id, [EventKind.SETTINGS_CHANGED]):
            if "settings" in entry.metadata:
                continue  # others than those of reviews say whose they are
            after: Any = entry.metadata["after"]
            positions.append(entry.position)
            settings.append(ReviewSettings.from_json(after))
        return cls(positions, settings)

    def at(self, position: int) -> ReviewSettings:
        """What was in force when the entry at `position` was written."""
        changes = bisect_right(self.positions, position)
        return self.settings[changes - 1] if changes else ReviewSettings()

"""Storing when API keys were last used: the worker does it now and then, no request waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ledgix_vault.store.key_use import KeyPlace, store_key_use
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.vault import Vault


async def note_key_use(vault: Vault) -> int:
    """Stores what was seen since the last time; of how many keys. A crash forgets a minute, nothing else."""
    seen = vault.store.key_use.unstored()
    if seen:
        await vault.store.run(partial(_store, seen))
        vault.store.key_use.stored(seen)
    return len(seen)


def _store(seen: Mapping[KeyPlace, int], unit: Unit) -> Stored[None]:
    store_key_use(unit, seen)
    return Stored(None)

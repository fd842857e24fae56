"""Which API keys a tenant has, without their secrets, and when each was last used."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix_vault.store.key_use import load_key_use
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.callers import Caller, require_key_management
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A key as the list shows it. `last_used_at` in µs, None before its first use."""

    key: ApiKey
    last_used_at: int | None


async def list_api_keys(vault: Vault, caller: Caller) -> list[ListedKey]:
    """All keys of the caller's tenant, oldest first, also those that ended."""
    require_key_management(caller)
    return await last_uses(vault, caller.tenant_id)


async def last_uses(vault: Vault, tenant_id: str) -> list[ListedKey]:
    """The same for the machine's own command line."""
    stored = await vault.store.read(partial(load_key_use, tenant_id=tenant_id))
    seen = vault.store.key_use.last_seen
    return [
        ListedKey(key, seen(tenant_id, key.key_id) or stored.get(key.key_id))
        for key in vault.store.tenant(tenant_id).keys
    ]

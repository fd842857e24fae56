"""How full the budgets of the active limits are."""

from __future__ import annotations

from ledgix.formats.json import JsonObject
from ledgix_vault.operations.steps.budgets import limit_use
from ledgix_vault.store.engine import Connection
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

MOST_KEYS = 100


async def read_limits(vault: Vault, caller: Caller, *, keys: int) -> list[JsonObject]:
    """Every limit of the active policies with its fullest budgets, `keys` of each (clamped to 1–100), as of now."""
    caller.require(Scope.POLICY)
    policies = vault.store.tenant(caller.tenant_id).snapshot.policies
    now, most = vault.clock(), max(1, min(keys, MOST_KEYS))

    def read(connection: Connection) -> list[JsonObject]:
        return [
            limit_use(connection, caller.tenant_id, policy.document, limit, now, most)
            for policy in sorted(policies, key=lambda policy: policy.document.policy_id)
            for limit in policy.document.limits
        ]

    return await vault.store.read(read)

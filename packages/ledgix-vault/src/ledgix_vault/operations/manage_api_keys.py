"""API keys from the machine's own command line: create, rotate and revoke, whatever their rights.

Each is a ledger event; a secret is shown once and only its hash is stored.
"""

from __future__ import annotations

from functools import partial

from ledgix_vault.clearance.decision import Decider
from ledgix_vault.operations.steps.keys import Rights, add_key, check_name, check_overlap, revoke_key, rotate_key
from ledgix_vault.tenancy.api_keys import ApiKey, check_expiry, new_secret
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def create_api_key(
    vault: Vault,
    tenant_id: str,
    name: str,
    scopes: frozenset[Scope],
    agent_ids: tuple[str, ...],
    by: Decider,
    *,
    expires_at: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which nobody can ask for again. Durable, and valid, on return."""
    check_name(name)
    if expires_at is not None:
        check_expiry(expires_at, vault.clock(), "$.expires_in_days")
    secret, rights = new_secret(), Rights(name, scopes, agent_ids, expires_at)
    key: ApiKey = await vault.store.run(partial(add_key, tenant_id, rights, secret, by))
    return key, secret


async def revoke_api_key(vault: Vault, tenant_id: str, key_id: str, by: Decider) -> ApiKey:
    """Ends a key at once; what it asked stays asked. Durable on return. Revoking it again changes nothing."""
    key: ApiKey = await vault.store.run(partial(revoke_key, tenant_id, key_id, by))
    return key


async def rotate_api_key(
    vault: Vault, tenant_id: str, key_id: str, by: Decider, *, overlap_seconds: int | None = None
) -> tuple[ApiKey, str]:
    """A successor with the same rights that owns what the old key asked. The old one stays valid for the overlap, or
    without one until it is revoked."""
    check_overlap(overlap_seconds)
    secret = new_secret()
    key: ApiKey = await vault.store.run(partial(rotate_key, tenant_id, key_id, overlap_seconds, secret, by))
    return key, secret

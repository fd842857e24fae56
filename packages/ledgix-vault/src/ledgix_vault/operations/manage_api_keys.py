"""API keys: create, rotate and revoke. Each is a ledger event; a secret is shown once and only its hash is stored."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import Decider
from ledgix_vault.errors import Conflict, NotFound
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.keys import add_key, check_name, record_key, store_key
from ledgix_vault.store.administration import end_api_key
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.api_keys import ApiKey, new_secret
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def create_api_key(
    vault: Vault, tenant_id: str, name: str, scopes: frozenset[Scope], agent_ids: tuple[str, ...], by: Decider
) -> tuple[ApiKey, str]:
    """A new key and its secret, which nobody can ask for again. Durable, and valid, on return."""
    check_name(name)
    secret = new_secret()
    key: ApiKey = await vault.store.run(partial(add_key, tenant_id, name, scopes, agent_ids, secret, by))
    return key, secret


async def revoke_api_key(vault: Vault, tenant_id: str, key_id: str, by: Decider) -> ApiKey:
    """Ends a key at once; what it asked stays asked. Durable on return. Revoking it again changes nothing."""
    key: ApiKey = await vault.store.run(partial(_revoke, tenant_id, key_id, by))
    return key


async def rotate_api_key(vault: Vault, tenant_id: str, key_id: str, by: Decider) -> tuple[ApiKey, str]:
    """A successor with the same rights that owns what the old key asked. The old one stays valid until revoked."""
    secret = new_secret()
    key: ApiKey = await vault.store.run(partial(_rotate, tenant_id, key_id, secret, by))
    return key, secret


def _rotate(tenant_id: str, key_id: str, secret: str, by: Decider, unit: Unit) -> Stored[ApiKey]:
    old = _find(unit, tenant_id, key_id)
    if old.is_revoked:
        raise Conflict("A revoked key can't be rotated; create a new one.", code="key_revoked")
    fresh = old.successor(new_id(), unit.now)
    store_key(unit, fresh, secret, EventKind.KEY_ROTATED, by)
    return Stored(fresh)


def _revoke(tenant_id: str, key_id: str, by: Decider, unit: Unit) -> Stored[ApiKey]:
    key = _find(unit, tenant_id, key_id)
    if key.is_revoked:
        return Stored(key)
    end_api_key(unit, key)
    record_key(unit, key, EventKind.KEY_REVOKED, by)
    return Stored(key.revoked(unit.now))


def _find(unit: Unit, tenant_id: str, key_id: str) -> ApiKey:
    for key in unit.tenant(tenant_id).keys:
        if key.key_id == key_id:
            return key
    raise NotFound(f"There is no API key {key_id}.")

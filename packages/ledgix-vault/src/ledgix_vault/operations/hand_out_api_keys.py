"""API keys from a caller's hand: hand out, replace and withdraw. Nobody hands out, replaces or withdraws a key
with rights that they lack. Each is a ledger event; a secret is shown once and only its hash is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.steps.keys import (
    Rights,
    add_key,
    check_name,
    check_overlap,
    find_key,
    revoke_key,
    rotate_key,
)
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.api_keys import ApiKey, check_agent_ids, check_expiry, new_secret
from ledgix_vault.tenancy.callers import Caller, require_key_management, require_own, require_own_agents
from ledgix_vault.vault import Vault

Work = Callable[[Unit], Stored[ApiKey]]


@dataclass(frozen=True, slots=True)
class HandedOut:
    """A key with its secret. A replay has no secret: it was shown, and nobody can ask for it again."""

    key: ApiKey
    secret: str | None
    replayed: bool = False


async def hand_out_api_key(
    vault: Vault, caller: Caller, rights: Rights, key: IdempotencyKey | None = None
) -> HandedOut:
    """A new key. Durable, and valid, on return."""
    require_key_management(caller)
    if not rights.scopes:
        raise Invalid("must name at least one right", path="$.scopes")
    check_name(rights.name)
    check_agent_ids(rights.agent_ids)
    if rights.expires_at is not None:
        check_expiry(rights.expires_at, vault.clock(), "$.expires_at")
    require_own(caller, rights.scopes)
    require_own_agents(caller, rights.agent_ids)
    secret = new_secret()
    work = partial(add_key, caller.tenant_id, rights, secret, decider_of(caller))
    return await _run(vault, caller, work, secret, key)


async def replace_api_key(
    vault: Vault, caller: Caller, key_id: str, overlap_seconds: int | None, key: IdempotencyKey | None = None
) -> HandedOut:
    """A successor with the same rights, valid at once, that owns what the old key asked. The old one stays valid for
    the overlap, or without one until it is revoked. Durable on return."""
    require_key_management(caller)
    check_overlap(overlap_seconds)
    secret = new_secret()
    rotate = partial(rotate_key, caller.tenant_id, key_id, overlap_seconds, secret, decider_of(caller))
    return await _run(vault, caller, partial(_if_own, caller, key_id, rotate), secret, key)


async def withdraw_api_key(vault: Vault, caller: Caller, key_id: str, key: IdempotencyKey | None = None) -> HandedOut:
    """Ends a key at once; what it asked stays asked. Durable on return. Doing it again changes nothing."""
    require_key_management(caller)
    revoke = partial(revoke_key, caller.tenant_id, key_id, decider_of(caller))
    return await _run(vault, caller, partial(_if_own, caller, key_id, revoke), None, key)


def _if_own(caller: Caller, key_id: str, work: Work, unit: Unit) -> Stored[ApiKey]:
    key = find_key(unit, caller.tenant_id, key_id)
    require_own(caller, key.scopes)
    require_own_agents(caller, key.agent_ids)
    return work(unit)


async def _run(vault: Vault, caller: Caller, work: Work, secret: str | None, key: IdempotencyKey | None) -> HandedOut:
    found = await vault.store.run(work, key)
    if not isinstance(found, Replayed):
        return HandedOut(found, secret)
    (again,) = (each for each in vault.store.tenant(caller.tenant_id).keys if each.key_id == found.reference)
    return HandedOut(again, None, replayed=True)

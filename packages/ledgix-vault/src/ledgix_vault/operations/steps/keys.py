"""API keys inside a transaction: stored by the hash of their secret, each change with its event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from ledgix.formats.events import EventKind
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.decision import Decider
from ledgix_vault.errors import Conflict, Invalid, NotFound
from ledgix_vault.ids import new_id
from ledgix_vault.notices.kinds import NoticeKind
from ledgix_vault.operations.steps.notices import notify
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.administration import add_api_key, end_api_key, expire_api_key
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.api_keys import LONGEST_OVERLAP, ApiKey, KeyState, hash_secret
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import MICROSECONDS, rfc3339

LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class Rights:
    """What a new key is to be. `expires_at` in µs, None for a key without an end."""

    name: str
    scopes: frozenset[Scope]
    agent_ids: tuple[str, ...] = ()
    expires_at: int | None = None


def check_name(name: str) -> None:
    """Raises `Invalid` unless the name can be shown in one line."""
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid(f"must be 1 to {LONGEST_NAME} printable characters", path="$.name")


def check_overlap(overlap: int | None) -> None:
    """Raises `Invalid` unless the old key may stay valid for so many seconds."""
    if overlap is not None and not 0 <= overlap * MICROSECONDS <= LONGEST_OVERLAP:
        raise Invalid(f"must be 0 to {LONGEST_OVERLAP // MICROSECONDS} seconds", path="$.overlap_seconds")


def add_key(tenant_id: str, rights: Rights, secret: str, by: Decider, unit: Unit) -> Stored[ApiKey]:
    """Inside a transaction: stores a new key with its event."""
    key_id = new_id()
    key = ApiKey(
        key_id=key_id,
        tenant_id=tenant_id,
        name=rights.name,
        scopes=rights.scopes,
        agent_ids=rights.agent_ids,
        created_at=unit.now,
        revoked_at=None,
        lineage=key_id,
        expires_at=rights.expires_at,
    )
    add_api_key(unit, key, secret)
    _record(unit, key, EventKind.KEY_CREATED, by, _born(key, secret))
    scopes = ", ".join(sorted(key.scopes))
    notify(unit, tenant_id, NoticeKind.KEY_CREATED, {"key_id": key_id, "name": key.name, "scopes": scopes})
    return Stored(key, reference=key_id)


def rotate_key(
    tenant_id: str, key_id: str, overlap: int | None, secret: str, by: Decider, unit: Unit
) -> Stored[ApiKey]:
    """Inside a transaction: stores a key's successor; with an `overlap` the key itself expires so many seconds later.

    The event names both: who follows, whom it replaces, and when the old one's life ends.
    """
    old = find_key(unit, tenant_id, key_id)
    if not old.is_valid(unit.now):
        state = old.state(unit.now)
        article = "An" if state is KeyState.EXPIRED else "A"
        raise Conflict(f"{article} {state} key can't be rotated; create a new one.", code=f"key_{state}")
    fresh = old.successor(new_id(), unit.now)
    if overlap is not None:
        old = old.ending(unit.now + overlap * MICROSECONDS)
        expire_api_key(unit, old)
    add_api_key(unit, fresh, secret)
    replaced: JsonObject = {"replaces": old.key_id, "replaced_expires_at": _end(old)}
    _record(unit, fresh, EventKind.KEY_ROTATED, by, _born(fresh, secret) | replaced)
    return Stored(fresh, reference=fresh.key_id)


def revoke_key(tenant_id: str, key_id: str, by: Decider, unit: Unit) -> Stored[ApiKey]:
    """Inside a transaction: ends a key as of now. Nothing changes if that was done already."""
    key = find_key(unit, tenant_id, key_id)
    if not key.is_revoked:
        end_api_key(unit, key)
        _record(unit, key, EventKind.KEY_REVOKED, by, {})
    return Stored(key.revoked(unit.now), reference=key_id)


def find_key(unit: Unit, tenant_id: str, key_id: str) -> ApiKey:
    """The tenant's key as the transaction sees it; raises `NotFound`."""
    for key in unit.tenant(tenant_id).keys:
        if key.key_id == key_id:
            return key
    raise NotFound(f"There is no API key {key_id}.")


def _born(key: ApiKey, secret: str) -> JsonObject:
    # The hash in the ledger: whoever swaps the one in the row, to get in with a secret of his own, is found.
    return {"secret_sha256": hash_secret(secret).hex(), "expires_at": _end(key)}


def _end(key: ApiKey) -> str | None:
    return None if key.expires_at is None else rfc3339(key.expires_at)


def _record(unit: Unit, key: ApiKey, kind: EventKind, by: Decider, more: JsonObject) -> None:
    """Appends the event about a key; never its secret."""
    record_administration(
        unit,
        key.tenant_id,
        kind,
        reason=f"API key {key.name}: {str(kind).removeprefix('key.')}.",
        decider=by,
        metadata={
            "key_id": key.key_id,
            "name": key.name,
            "scopes": cast("list[Json]", sorted(str(scope) for scope in key.scopes)),
            "agent_ids": list(key.agent_ids),
            "lineage": key.lineage,
            **more,
        },
    )

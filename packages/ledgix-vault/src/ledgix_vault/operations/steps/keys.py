"""API keys inside a transaction: stored by the hash of their secret, each change with its event."""

from __future__ import annotations

from typing import cast

from ledgix.formats.events import EventKind
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.decision import Decider
from ledgix_vault.errors import Invalid
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.administration import add_api_key
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.api_keys import ApiKey, hash_secret
from ledgix_vault.tenancy.scopes import Scope

LONGEST_NAME = 120


def check_name(name: str) -> None:
    """Raises `Invalid` unless the name can be shown in one line."""
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise Invalid(f"must be 1 to {LONGEST_NAME} printable characters", path="$.name")


def add_key(
    tenant_id: str,
    name: str,
    scopes: frozenset[Scope],
    agent_ids: tuple[str, ...],
    secret: str,
    by: Decider,
    unit: Unit,
) -> Stored[ApiKey]:
    """Inside a transaction: stores a new key with its event."""
    key_id = new_id()
    key = ApiKey(
        key_id=key_id,
        tenant_id=tenant_id,
        name=name,
        scopes=scopes,
        agent_ids=agent_ids,
        created_at=unit.now,
        revoked_at=None,
        lineage=key_id,
    )
    store_key(unit, key, secret, EventKind.KEY_CREATED, by)
    return Stored(key)


def store_key(unit: Unit, key: ApiKey, secret: str, kind: EventKind, by: Decider) -> None:
    """Stores a key, by the hash of its secret, with its event."""
    add_api_key(unit, key, secret)
    # The hash in the ledger: whoever swaps the one in the row, to get in with a secret of his own, is found.
    record_key(unit, key, kind, by, {"secret_sha256": hash_secret(secret).hex()})


def record_key(unit: Unit, key: ApiKey, kind: EventKind, by: Decider, more: JsonObject | None = None) -> None:
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
            **(more or {}),
        },
    )

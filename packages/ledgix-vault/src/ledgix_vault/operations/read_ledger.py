"""Reading the ledger: entries, checkpoints, proofs, bundles and keys, never above what is published."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ledgix.formats import bundles, events
from ledgix.formats.bundles import InclusionProof
from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid, NotFound, NotYetCheckpointed
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.logs import (
    events_of_request,
    find_entry,
    leaf_index_of,
    load_checkpoint,
    load_checkpoints,
    read_entries,
)
from ledgix_vault.store.proofs import LogProofs
from ledgix_vault.store.signing_keys import load_ledger_keys
from ledgix_vault.store.store import Published
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

MOST = 500
PATIENCE = 5.0
"""Seconds that a proof waits for a checkpoint to cover its entry."""
PROVEN_KINDS = frozenset(
    {
        EventKind.CLEARANCE_DECIDED,
        EventKind.REVIEW_DECIDED,
        EventKind.REVIEW_EXPIRED,
        EventKind.REVIEW_CANCELLED_BY_AGENT,
        EventKind.REVIEW_VOTED,
        EventKind.REVIEW_SECOND_REQUESTED,
        EventKind.REVIEW_ESCALATED,
        EventKind.TOKEN_MINTED,
    }
)
"""A proof for a request is that of its newest event of these kinds (contract section 6)."""

SignNow = Callable[[str], Awaitable[None]]
"""Asks for a checkpoint of a tenant's log at once."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which event a proof is for: the newest decision of a request, or one event by its uuid."""

    request_id: str = ""
    event_uuid: str = ""


async def list_entries(vault: Vault, caller: Caller, limit: int) -> list[JsonObject]:
    """The newest entries, newest first, redacted unless the key may see protected fields."""
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL)
    published = _published_id(vault, caller.tenant_id)
    entries = await vault.store.read(
        lambda connection: read_entries(connection, caller.tenant_id, newest=_clamp(limit), published=published)
    )
    return [_view(caller, entry) for entry in entries]


async def list_checkpoints(vault: Vault, caller: Caller, limit: int) -> list[JsonObject]:
    """The newest published checkpoints, newest first."""
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL)
    published = _published_id(vault, caller.tenant_id)
    found = await vault.store.read(
        lambda connection: load_checkpoints(connection, caller.tenant_id, up_to=published, newest=_clamp(limit))
    )
    return [checkpoint.to_json() for checkpoint in reversed(found)]


async def prove_inclusion(vault: Vault, caller: Caller, wanted: Wanted, sign_now: SignNow) -> JsonObject:
    """The inclusion proof of an event in the newest checkpoint; waits up to 5 s for one that covers it."""
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL)
    event_uuid, published = await _covered(vault, caller, wanted, sign_now)
    return await vault.store.read(
        lambda connection: _inclusion(connection, vault.proofs, caller.tenant_id, event_uuid, published)[1].to_json()
    )


async def prove_bundle(vault: Vault, caller: Caller, wanted: Wanted, sign_now: SignNow) -> JsonObject:
    """Everything that an auditor needs to check one event offline."""
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL)
    event_uuid, published = await _covered(vault, caller, wanted, sign_now)

    def build(connection: Connection) -> JsonObject:
        entry, inclusion = _inclusion(connection, vault.proofs, caller.tenant_id, event_uuid, published)
        keys = load_ledger_keys(connection, caller.tenant_id)
        related = events_of_request(connection, caller.tenant_id, str(entry["request_id"]))
        found = bundles.bundle(_view(caller, entry), inclusion, None, [key.record() for key in keys])
        found["related"] = [{"event_uuid": other, "kind": kind} for _, kind, other in related if other != event_uuid]
        return found

    return await vault.store.read(build)


async def prove_consistency(vault: Vault, caller: Caller, from_id: int, to_id: int) -> JsonObject:
    """The proof that one published checkpoint's log extends another's."""
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL)
    if from_id > to_id:
        raise Invalid("must not be greater than `to`", path="from")
    published = vault.store.published(caller.tenant_id)

    def build(connection: Connection) -> JsonObject:
        old = _visible_checkpoint(connection, caller.tenant_id, from_id, published)
        new = _visible_checkpoint(connection, caller.tenant_id, to_id, published)
        assert published is not None
        proofs = vault.proofs.of(connection, caller.tenant_id, published)
        path = proofs.consistency(old.tree_size, new.tree_size) if from_id != to_id else []
        return bundles.consistency(old, new, path).to_json()

    return await vault.store.read(build)


def _inclusion(
    connection: Connection, proofs: LogProofs, tenant_id: str, event_uuid: str, published: Published
) -> tuple[JsonObject, InclusionProof]:
    checkpoint = published.checkpoint
    entry = find_entry(connection, tenant_id, event_uuid, published=checkpoint.checkpoint_id)
    assert entry is not None
    leaf_index = int(str(entry["leaf_index"]))
    path = proofs.of(connection, tenant_id, published).inclusion(leaf_index, checkpoint.tree_size)
    return entry, bundles.inclusion(entry, path, checkpoint, leaf_index)


async def _covered(vault: Vault, caller: Caller, wanted: Wanted, sign_now: SignNow) -> tuple[str, Published]:
    """The event that is wanted, and a published checkpoint that covers it."""
    event_uuid, leaf_index = await vault.store.read(lambda connection: _find(connection, caller.tenant_id, wanted))
    try:
        async with asyncio.timeout(PATIENCE):
            while (published := vault.store.published(caller.tenant_id)) is None or (
                published.checkpoint.tree_size <= leaf_index
            ):
                await sign_now(caller.tenant_id)
    except TimeoutError as error:
        raise NotYetCheckpointed() from error
    return event_uuid, published


def _find(connection: Connection, tenant_id: str, wanted: Wanted) -> tuple[str, int]:
    if wanted.event_uuid:
        leaf_index = leaf_index_of(connection, tenant_id, wanted.event_uuid)
        if leaf_index is None:
            raise NotFound("There is no ledger event with this event_uuid.")
        return wanted.event_uuid, leaf_index
    if not wanted.request_id:
        raise Invalid("is required (or event_uuid)", path="request_id")
    about = events_of_request(connection, tenant_id, wanted.request_id)
    proven = [found for found in about if found[1] in PROVEN_KINDS] or about
    if not proven:
        raise NotFound("There is no ledger event about this request_id.")
    leaf_index, _, event_uuid = proven[-1]
    return event_uuid, leaf_index


def _visible_checkpoint(
    connection: Connection, tenant_id: str, checkpoint_id: int, published: Published | None
) -> Checkpoint:
    found = None
    if published is not None and 1 <= checkpoint_id <= published.checkpoint.checkpoint_id:
        found = load_checkpoint(connection, tenant_id, checkpoint_id)
    if found is None:
        raise NotFound(f"There is no checkpoint {checkpoint_id}.")
    return found


def _view(caller: Caller, entry: JsonObject) -> JsonObject:
    return entry if caller.allows(Scope.LEDGER_FULL) else events.redact(entry)


def _published_id(vault: Vault, tenant_id: str) -> int:
    published = vault.store.published(tenant_id)
    return published.checkpoint.checkpoint_id if published else 0


def _clamp(limit: int) -> int:
    return max(1, min(limit, MOST))

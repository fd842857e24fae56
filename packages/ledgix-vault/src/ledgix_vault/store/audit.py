"""Re-deriving a log from its rows: nothing stored is believed, everything is computed again and compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from ledgix.errors import LedgixError
from ledgix.formats import checkpoints, receipts, tree
from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.events import seal
from ledgix.formats.intents import check_intent
from ledgix.formats.keys import PublicKey
from ledgix_vault.store import schema
from ledgix_vault.store.logs import event_of_row, iterate_events, load_checkpoints
from ledgix_vault.store.signing_keys import load_ledger_keys

Progress = Callable[[int], None]
PROGRESS_EVERY = 1000
UNREADABLE = (LedgixError, KeyError, ValueError, TypeError, AttributeError, OverflowError)
"""What reading a row raises that somebody wrote who is not this program."""


@dataclass(slots=True)
class Audit:
    """What was verified before the first flaw, and the flaw in words (None: intact)."""

    entries: int = 0
    checkpoints: int = 0
    latest_leaf_hash: str = ""
    latest_checkpoint_hash: str = ""
    flaw: str | None = None
    keys: dict[str, PublicKey] = field(default_factory=dict)


class _Flaw(Exception):
    """The first thing that doesn't hold."""


def audit_log(
    connection: Connection, tenant_id: str, *, up_to: int | None = None, progress: Progress = lambda _: None
) -> Audit:
    """Verifies a whole log; checkpoints up to the id `up_to` (all of them without it). Never raises for a flaw."""
    audit = Audit()
    try:
        _audit(connection, tenant_id, up_to, progress, audit)
    except _Flaw as flaw:
        audit.flaw = str(flaw)
    except UNREADABLE as error:
        audit.flaw = f"entry {audit.entries + 1} can't be read: {type(error).__name__}: {error}"
    return audit


def _audit(connection: Connection, tenant_id: str, up_to: int | None, progress: Progress, audit: Audit) -> None:
    audit.keys = {key.public.kid: key.public for key in load_ledger_keys(connection, tenant_id)}
    signed = load_checkpoints(connection, tenant_id, up_to=up_to)
    grown, at = tree.Integrator(), 0
    for row in iterate_events(connection, tenant_id):
        _check_event(row, grown.size, audit)
        grown.append(tree.leaf_hash(bytes(row.event_hash)))
        audit.entries, audit.latest_leaf_hash = grown.size, tree.leaf_hash(bytes(row.event_hash)).hex()
        for full in grown.take_tiles():
            _check_tile(connection, tenant_id, full)
        while at < len(signed) and signed[at].tree_size == grown.size:
            _check_checkpoint(signed, at, grown, audit)
            at += 1
        if grown.size % PROGRESS_EVERY == 0:
            progress(grown.size)
    progress(grown.size)
    if at < len(signed):
        raise _Flaw(
            f"checkpoint {signed[at].checkpoint_id} covers {signed[at].tree_size} entries; there are {grown.size}"
        )
    _check_head(connection, tenant_id, grown)


def _check_event(row: Any, position: int, audit: Audit) -> None:
    place = f"entry {position + 1}"
    if row.leaf_index != position:
        raise _Flaw(f"{place} is missing")
    event = event_of_row(row)
    check_intent(event.intent)
    sealed = seal(event)
    if sealed.intent_json != row.intent.encode():  # proofs are made of the stored bytes
        raise _Flaw(f"{place}: its intent is not stored in canonical form")
    if event.intent["tenant"] != row.tenant_id:
        raise _Flaw(f"{place} is another tenant's event")
    if sealed.event_hash != bytes(row.event_hash):
        raise _Flaw(f"{place} was changed: its content does not have the hash that it was recorded with")
    if sealed.derived.request_id != row.request_id or sealed.derived.kind != row.kind:
        raise _Flaw(f"{place}: its index columns do not say what the event says")
    key = audit.keys.get(row.receipt_key_id)
    if key is None:
        raise _Flaw(f"{place}: its receipt names a key that is not one of this log's")
    payload = receipts.payload(
        event_hash=sealed.event_hash,
        leaf_hash=sealed.leaf_hash,
        event_uuid=row.event_uuid,
        request_id=row.request_id,
        accepted_at=row.accepted_at,
        key_id=row.receipt_key_id,
    )
    _check_signature(key, bytes(row.receipt_signature), payload, f"{place}: its receipt is not signed by its key")


def _check_signature(key: PublicKey, signature: bytes, payload: bytes, flaw: str) -> None:
    try:
        key.verify(signature, payload)
    except LedgixError as error:
        raise _Flaw(flaw) from error


def _check_tile(connection: Connection, tenant_id: str, full: tree.Tile) -> None:
    table = schema.tile
    stored = connection.execute(
        select(table.c.hashes).where(
            table.c.tenant_id == tenant_id, table.c.level == full.level, table.c.tile_index == full.index
        )
    ).scalar_one_or_none()
    if stored is None or bytes(stored) != full.data:
        raise _Flaw(f"tile {full.index} of level {full.level} is not what the entries give")


def _check_checkpoint(signed: list[Checkpoint], at: int, grown: tree.Integrator, audit: Audit) -> None:
    checkpoint = signed[at]
    place = f"checkpoint {checkpoint.checkpoint_id}"
    previous = signed[at - 1].checkpoint_hash if at else ""
    if checkpoint.checkpoint_id != at + 1:
        raise _Flaw(f"checkpoint {at + 1} is missing")
    if checkpoint.root_hash != grown.root_hex():
        raise _Flaw(f"{place} signs another root than the entries give")
    if checkpoint.prev_checkpoint_hash != previous:
        raise _Flaw(f"{place} does not follow the one before it")
    key = audit.keys.get(checkpoint.signer_key_id)
    if key is None:
        raise _Flaw(f"{place} names a key that is not one of this log's")
    try:
        checkpoints.verify(checkpoint, key)
    except LedgixError as error:
        raise _Flaw(f"{place}: {error}") from error
    audit.checkpoints, audit.latest_checkpoint_hash = at + 1, checkpoint.checkpoint_hash


def _check_head(connection: Connection, tenant_id: str, grown: tree.Integrator) -> None:
    table = schema.log
    head = connection.execute(select(table).where(table.c.tenant_id == tenant_id)).one_or_none()
    if head is None:
        raise _Flaw("the log's head is missing")
    if head.size != grown.size:
        raise _Flaw(f"the log's head counts {head.size} entries; there are {grown.size}")
    if bytes(head.root) != grown.root() or bytes(head.frontier) != grown.frontier:
        raise _Flaw("the log's head does not have the root that the entries give")

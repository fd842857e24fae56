"""The ledger as stored: loading a log's tree, reading entries, and the tiles that proofs are made of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, cast

from sqlalchemy import Connection, func, select

from ledgix.errors import FormatError
from ledgix.formats import events, receipts, tree
from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.events import Event, SealedEvent
from ledgix.formats.intents import derive
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import StartRefused
from ledgix_vault.ids import is_id
from ledgix_vault.store import schema
from ledgix_vault.store.tenants import stored_object

_E, _T, _L, _P = schema.event, schema.tile, schema.log, schema.checkpoint
PAGE = 1000
_IN_ORDER = _E.c.leaf_index + 0
"""The order of the log for a few events that an index finds: as an expression, because SQLite would rather walk through
the whole log in that order than sort them."""


def load_integrator(connection: Connection, tenant_id: str) -> tuple[str, tree.Integrator, int]:
    """The log's signing key id, its tree, and when its last event was accepted (µs).

    Raises `StartRefused` when head, tiles and events don't belong together: the store was damaged or edited.
    """
    head = connection.execute(select(_L).where(_L.c.tenant_id == tenant_id)).one_or_none()
    if head is None:
        raise _damaged(tenant_id, "its head is missing")
    newest = connection.execute(select(func.max(_E.c.leaf_index)).where(_E.c.tenant_id == tenant_id)).scalar()
    if newest is not None and newest >= head.size:
        raise _damaged(tenant_id, f"it has an event at position {newest}, but its head counts {head.size}")
    try:
        edges = edges_at(connection, tenant_id, head.size)
        integrator = tree.Integrator.load(head.size, bytes(head.frontier), edges)
    except FormatError as error:
        raise _damaged(tenant_id, str(error)) from error
    if integrator.root() != bytes(head.root):
        raise _damaged(tenant_id, "the head's root is not the root of its tree")
    return head.key_id, integrator, head.last_accepted_at


def edges_at(connection: Connection, tenant_id: str, size: int) -> list[bytes]:
    """The hashes of the unfinished tile of each level, as the log was at `size`."""
    return [_edge(connection, tenant_id, level, size) for level in range(len(tree.edge_widths(size)))]


def _edge(connection: Connection, tenant_id: str, level: int, size: int) -> bytes:
    """The hashes of the unfinished tile of one level, from the rows below it."""
    count = size >> (8 * level)
    first = count - count % tree.TILE_WIDTH
    if level == 0:
        rows = connection.execute(
            select(_E.c.event_hash)
            .where(_E.c.tenant_id == tenant_id, _E.c.leaf_index >= first, _E.c.leaf_index < count)
            .order_by(_E.c.leaf_index)
        )
        return b"".join(tree.leaf_hash(bytes(row.event_hash)) for row in rows)
    tiles = connection.execute(
        select(_T.c.hashes)
        .where(
            _T.c.tenant_id == tenant_id,
            _T.c.level == level - 1,
            _T.c.tile_index >= first,
            _T.c.tile_index < count,
        )
        .order_by(_T.c.tile_index)
    )
    return b"".join(_tile_root(bytes(row.hashes)) for row in tiles)


def _tile_root(hashes: bytes) -> bytes:
    whole = tree.CompactRange()
    for at in range(0, len(hashes), tree.HASH_SIZE):
        whole.append(hashes[at : at + tree.HASH_SIZE])
    return whole.root()


class StoredTiles:
    """The tiles of one log up to a checkpoint: full ones from the store, the right edge from memory."""

    def __init__(self, connection: Connection, tenant_id: str, size: int, edges: Sequence[bytes]) -> None:
        self._connection = connection
        self._tenant_id = tenant_id
        self._size = size
        self._edges = edges

    def tile(self, level: int, index: int, width: int) -> bytes:
        """The first `width` hashes of a tile, 32 bytes each (see `ledgix.formats.proofs.TileReader`)."""
        if index == (self._size >> (8 * level)) // tree.TILE_WIDTH:
            return self._edges[level][: width * tree.HASH_SIZE]
        hashes = self._connection.execute(
            select(_T.c.hashes).where(_T.c.tenant_id == self._tenant_id, _T.c.level == level, _T.c.tile_index == index)
        ).scalar_one()
        return bytes(hashes)[: width * tree.HASH_SIZE]


def read_entries(connection: Connection, tenant_id: str, *, newest: int, published: int) -> list[JsonObject]:
    """The newest entries in the full view, newest first; `published` is the last checkpoint id that readers may see."""
    rows = connection.execute(
        select(_E).where(_E.c.tenant_id == tenant_id).order_by(_E.c.leaf_index.desc()).limit(newest)
    ).all()
    return _entries(connection, tenant_id, rows, published)


def find_entry(connection: Connection, tenant_id: str, event_uuid: str, *, published: int) -> JsonObject | None:
    """One entry in the full view, or None."""
    rows = connection.execute(select(_E).where(_E.c.tenant_id == tenant_id, _E.c.event_uuid == event_uuid)).all()
    found = _entries(connection, tenant_id, rows, published)
    return found[0] if found else None


def events_of_request(connection: Connection, tenant_id: str, request_id: str) -> list[tuple[int, str, str]]:
    """(leaf index, kind, event uuid) of every event about a request, oldest first."""
    if not is_id(request_id):
        return []
    rows = connection.execute(
        select(_E.c.leaf_index, _E.c.kind, _E.c.event_uuid)
        .where(_E.c.tenant_id == tenant_id, _E.c.request_id == request_id)
        .order_by(_IN_ORDER)
    )
    return [(row.leaf_index, row.kind, row.event_uuid) for row in rows]


def entries_of_request(
    connection: Connection, tenant_id: str, request_id: str, *, most: int, published: int
) -> list[JsonObject]:
    """The first entries about a request in the full view, oldest first."""
    if not is_id(request_id):
        return []
    rows = connection.execute(
        select(_E).where(_E.c.tenant_id == tenant_id, _E.c.request_id == request_id).order_by(_IN_ORDER).limit(most)
    ).all()
    return [_entries(connection, tenant_id, [row], published)[0] for row in rows]


def leaf_index_of(connection: Connection, tenant_id: str, event_uuid: str) -> int | None:
    """Where an event stands in its log, or None."""
    if not is_id(event_uuid):
        return None
    return connection.execute(
        select(_E.c.leaf_index).where(_E.c.tenant_id == tenant_id, _E.c.event_uuid == event_uuid)
    ).scalar_one_or_none()


def iterate_events(connection: Connection, tenant_id: str, *, first: int = 0) -> Iterator[Any]:
    """Every event row from leaf `first` on, in order, read a page at a time."""
    while True:
        rows = connection.execute(
            select(_E)
            .where(_E.c.tenant_id == tenant_id, _E.c.leaf_index >= first)
            .order_by(_E.c.leaf_index)
            .limit(PAGE)
        ).all()
        yield from rows
        if len(rows) < PAGE:
            return
        first = rows[-1].leaf_index + 1


def load_checkpoints(
    connection: Connection, tenant_id: str, *, up_to: int | None = None, newest: int | None = None
) -> list[Checkpoint]:
    """Checkpoints oldest first, up to an id, at most the `newest` many."""
    query = select(_P).where(_P.c.tenant_id == tenant_id)
    if up_to is not None:
        query = query.where(_P.c.checkpoint_id <= up_to)
    if newest is not None:
        query = query.order_by(_P.c.checkpoint_id.desc()).limit(newest)
        return [_checkpoint(row) for row in connection.execute(query)][::-1]
    return [_checkpoint(row) for row in connection.execute(query.order_by(_P.c.checkpoint_id))]


def load_checkpoint(connection: Connection, tenant_id: str, checkpoint_id: int) -> Checkpoint | None:
    """One checkpoint, or None."""
    row = connection.execute(
        select(_P).where(_P.c.tenant_id == tenant_id, _P.c.checkpoint_id == checkpoint_id)
    ).one_or_none()
    return None if row is None else _checkpoint(row)


def checkpoint_row(tenant_id: str, checkpoint: Checkpoint) -> tuple[Any, ...]:
    """The row of a checkpoint, in the order of the table's columns."""
    return (
        tenant_id,
        checkpoint.checkpoint_id,
        checkpoint.tree_size,
        checkpoint.root_hash,
        checkpoint.checkpoint_hash,
        checkpoint.prev_checkpoint_hash,
        checkpoint.signer_key_id,
        checkpoint.signature,
        checkpoint.payload,
        checkpoint.signed_at,
        checkpoint.mmd_seconds,
    )


def event_of_row(row: Any) -> Event:
    """The event as it was before it was sealed: sealing it again must give the stored hash."""
    grounds = stored_object(row.grounds)
    return Event(
        event_uuid=row.event_uuid,
        accepted_at=row.accepted_at,
        reason=str(grounds["reason"]),
        citations=cast("list[JsonObject]", grounds["citations"]),
        evidence_chunks=cast("list[JsonObject]", grounds["evidence_chunks"]),
        intent=stored_object(row.intent),
    )


def _entries(connection: Connection, tenant_id: str, rows: Sequence[Any], published: int) -> list[JsonObject]:
    """Entries of consecutive rows, each with the first published checkpoint that covers it."""
    if not rows:
        return []
    covering = connection.execute(
        select(_P.c.tree_size, _P.c.checkpoint_id)
        .where(
            _P.c.tenant_id == tenant_id,
            _P.c.checkpoint_id <= published,
            _P.c.tree_size > min(row.leaf_index for row in rows),
        )
        .order_by(_P.c.tree_size)
        .limit(len(rows) + 1)
    ).all()
    sizes = [row.tree_size for row in covering]
    return [_entry(row, covering, sizes) for row in rows]


def _entry(row: Any, checkpoints: Sequence[Any], sizes: list[int]) -> JsonObject:
    event = event_of_row(row)
    intent_json = row.intent.encode()
    event_hash = bytes(row.event_hash)
    sealed = SealedEvent(
        event=event,
        derived=derive(event.intent),
        intent_json=intent_json,
        intent_hash=sha256(intent_json).hexdigest(),
        payload=b"",
        event_hash=event_hash,
    )
    payload = receipts.payload(
        event_hash=event_hash,
        leaf_hash=tree.leaf_hash(event_hash),
        event_uuid=row.event_uuid,
        request_id=row.request_id,
        accepted_at=row.accepted_at,
        key_id=row.receipt_key_id,
    )
    covering = bisect_right(sizes, row.leaf_index)
    covered = covering < len(sizes)
    return events.entry(
        sealed,
        seq=row.leaf_index + 1,
        leaf_index=row.leaf_index if covered else None,
        checkpoint_id=checkpoints[covering].checkpoint_id if covered else None,
        receipt=receipts.Receipt(payload, bytes(row.receipt_signature), row.receipt_key_id),
    )


def _checkpoint(row: Any) -> Checkpoint:
    return Checkpoint(
        checkpoint_id=row.checkpoint_id,
        microblock_id=row.checkpoint_id,
        tree_size=row.tree_size,
        root_hash=row.root_hash,
        prev_checkpoint_hash=row.prev_checkpoint_hash,
        signed_at=row.signed_at,
        mmd_seconds=row.mmd_seconds,
        signer_key_id=row.signer_key_id,
        signature=bytes(row.signature),
        payload=bytes(row.payload),
        checkpoint_hash=row.checkpoint_hash,
    )


def _damaged(tenant_id: str, what: str) -> StartRefused:
    return StartRefused(
        f"The ledger of tenant {tenant_id} is damaged: {what}.",
        "Run `ledgix-vault check` for the place, and restore the database from a backup of before the damage.",
    )

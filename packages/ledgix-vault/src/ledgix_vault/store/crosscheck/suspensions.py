"""Suspensions against the ledger: each row was made by an entry, and is over if and only if an entry released it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from ledgix.formats.events import EventKind
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import Entry, differing, entries_of_kinds, readable, unpaired
from ledgix_vault.times import rfc3339

_S = schema.suspension
_MADE = (EventKind.AGENT_SUSPENDED, EventKind.TOOL_SUSPENDED, EventKind.TENANT_SUSPENDED)
_RELEASED = (EventKind.AGENT_RELEASED, EventKind.TOOL_RELEASED, EventKind.TENANT_RELEASED)


def suspension_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    """Every flaw of the tenant's suspensions."""
    made: dict[str, Entry] = {}
    released: dict[str, Entry] = {}
    for entry in entries_of_kinds(connection, tenant_id, (*_MADE, *_RELEASED)):
        (made if entry.kind in _MADE else released)[str(entry.metadata["suspension_id"])] = entry
    found = connection.execute(select(_S).where(_S.c.tenant_id == tenant_id).order_by(_S.c.suspension_id))
    rows = {str(row.suspension_id): row for row in found}
    yield from unpaired("suspension", rows, made)
    for suspension_id in sorted(released.keys() - made.keys()):
        yield f"entry {released[suspension_id].position} released a suspension that no entry made"
    for suspension_id in sorted(rows.keys() & made.keys()):
        look = partial(_flaws, rows[suspension_id], made[suspension_id], released.get(suspension_id))
        yield from readable(f"the suspension {suspension_id}", look)


def _flaws(row: Any, made: Entry, released: Entry | None) -> Iterator[str]:
    place = f"the suspension {row.suspension_id}"
    said = {
        "suspension_id": row.suspension_id,
        "kind": row.kind,
        "subject": row.subject,
        "reason": row.reason,
    }
    different = differing(said, {name: made.metadata[name] for name in said})
    if made.kind != f"{row.kind}.suspended" and "kind" not in different:
        different.append("kind")
    if rfc3339(row.suspended_at) != made.accepted_at:
        different.append("suspended_at")
    if row.suspended_by != made.decider_id:
        different.append("suspended_by")
    if different:
        yield f"{place}: its row says otherwise than entry {made.position} about {', '.join(different)}"
    if released is None:
        if (row.released_at, row.released_by, row.release_reason) != (None, "", ""):
            yield f"{place}: its row says that it is released; the ledger doesn't"
    elif row.released_at is None:
        yield f"{place}: entry {released.position} released it; its row doesn't say so"
    elif (rfc3339(row.released_at), row.released_by, row.release_reason) != (
        released.accepted_at,
        released.decider_id,
        released.metadata["reason"],
    ):
        yield f"{place}: its row says otherwise than entry {released.position} about its release"

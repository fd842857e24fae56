"""Reading a log from a position on, for those who follow it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, exists, select

from ledgix.formats.json import JsonObject
from ledgix_vault.ids import is_id
from ledgix_vault.store import schema
from ledgix_vault.store.tenants import stored_object

_E, _C = schema.event, schema.clearance
LARGEST_SIZE = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Followed:
    """Which events of a log somebody follows: all, those that keys of one lineage asked, those about one request."""

    tenant_id: str
    lineage: str | None = None
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event as far as followers are told of it."""

    leaf_index: int
    event_uuid: str
    accepted_at: str
    intent: JsonObject
    reason: str


def read_followed(connection: Connection, followed: Followed, *, after: int, size: int, most: int) -> list[LoggedEvent]:
    """The events after position `after` of a log of this size, oldest first."""
    query = select(_E).where(_E.c.tenant_id == followed.tenant_id, _E.c.leaf_index > after, _E.c.leaf_index < size)
    if followed.request_id:
        query = query.where(_E.c.request_id == followed.request_id)
    if followed.lineage is not None:
        query = query.where(
            exists().where(
                _C.c.tenant_id == _E.c.tenant_id,
                _C.c.request_id == _E.c.request_id,
                _C.c.key_lineage == followed.lineage,
            )
        )
    rows = connection.execute(query.order_by(_E.c.leaf_index).limit(most))
    return [
        LoggedEvent(
            leaf_index=row.leaf_index,
            event_uuid=row.event_uuid,
            accepted_at=row.accepted_at,
            intent=stored_object(row.intent),
            reason=str(stored_object(row.grounds)["reason"]),
        )
        for row in rows
    ]


def has_events(connection: Connection, followed: Followed) -> bool:
    """Whether the log has any event about the request that is followed."""
    return is_id(followed.request_id) and bool(read_followed(connection, followed, after=-1, size=LARGEST_SIZE, most=1))

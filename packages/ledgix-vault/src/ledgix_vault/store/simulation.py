"""Recorded requests for a simulation: the last ones, in pages, oldest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.store import schema
from ledgix_vault.store.clearances import WITH_DEADLINE, clearance_of_row
from ledgix_vault.store.tenants import stored_object

_C, _P = schema.clearance, schema.policy_version


@dataclass(frozen=True, slots=True)
class Window:
    """The requests from `first` to `last` by id, which is their order in time; what comes later isn't in it."""

    first: str
    last: str
    size: int


def last_requests(connection: Connection, tenant_id: str, most: int) -> Window:
    """The window of the tenant's last `most` requests."""
    newest = select(_C.c.request_id).where(_C.c.tenant_id == tenant_id).order_by(_C.c.request_id.desc()).limit(most)
    found = newest.subquery()
    row = connection.execute(
        select(func.min(found.c.request_id), func.max(found.c.request_id), func.count()).select_from(found)
    ).one()
    return Window(row[0] or "", row[1] or "", row[2])


def requests_in(connection: Connection, tenant_id: str, window: Window, after: str, limit: int) -> Sequence[Clearance]:
    """The next page of the window, from behind the request `after` on ("" for the first page)."""
    rows = connection.execute(
        WITH_DEADLINE.where(
            _C.c.tenant_id == tenant_id,
            _C.c.request_id >= window.first,
            _C.c.request_id <= window.last,
            _C.c.request_id > after,
        )
        .order_by(_C.c.request_id)
        .limit(limit)
    )
    return [clearance_of_row(row) for row in rows]


def find_document(connection: Connection, tenant_id: str, policy_id: str, version: int) -> PolicyDocument | None:
    """A version of a policy by its number, active or not."""
    text = connection.execute(
        select(_P.c.document).where(_P.c.tenant_id == tenant_id, _P.c.policy_id == policy_id, _P.c.version == version)
    ).scalar_one_or_none()
    return None if text is None else PolicyDocument.from_json(stored_object(text), {})

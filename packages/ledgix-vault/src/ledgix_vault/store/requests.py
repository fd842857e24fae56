"""Looking through requests: newest first, by columns that one index has, a bounded number at a time.

One look examines at most so many requests; what lies further back is looked through from where it stopped. So a search
that finds little among millions answers as soon as one that finds much, and says how far it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Subquery, and_, func, or_, select

from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.searching import Sought
from ledgix_vault.ids import is_id
from ledgix_vault.jsontext import encode_text
from ledgix_vault.store import schema
from ledgix_vault.store.clearances import load_clearances, session_hash
from ledgix_vault.store.found_by import searchable

_C, _R = schema.clearance, schema.review
EXAMINED = 50_000
EXAMINED_FOR_TEXT = 5_000
WAITS = 5_000
MOST_WAITING = 1000
Place = tuple[int, str]
"""(requested_at, request_id): where a look begins, excluded, and goes on towards older requests."""


@dataclass(frozen=True, slots=True)
class Found:
    """The requests of one look, newest first; `further` is where the next one begins, None at the end of all."""

    clearances: list[Clearance]
    further: Place | None


def search_clearances(
    connection: Connection, tenant_id: str, sought: Sought, before: Place | None, limit: int
) -> Found:
    """One look at the tenant's requests from `before` on."""
    if is_id(sought.text):
        return _by_id(connection, tenant_id, sought, before)
    most = EXAMINED_FOR_TEXT if sought.text else EXAMINED
    window = _window(tenant_id, sought, before, most)
    query = select(window.c.requested_at, window.c.request_id).where(*_wanted(window, sought))
    if sought.text:
        query = query.join(_C, and_(_C.c.tenant_id == tenant_id, _C.c.request_id == window.c.request_id))
        query = query.where(_has_text(sought.text))
    newest_first = (window.c.requested_at.desc(), window.c.request_id.desc())
    places = [tuple(row) for row in connection.execute(query.order_by(*newest_first).limit(limit + 1))]
    page = places[:limit]
    further = page[-1] if len(places) > limit else _end_of(connection, window, most)
    return Found(_in_order(connection, tenant_id, [request_id for _, request_id in page]), further)


def review_waits(connection: Connection, tenant_id: str, since: int) -> list[int]:
    """How long (µs) people took for the newest 5000 reviews that were opened since then and decided."""
    decided = [
        select((_R.c.decided_at - _R.c.opened_at).label("waited"), _R.c.opened_at)
        .where(_R.c.tenant_id == tenant_id, _R.c.status == status, _R.c.opened_at >= since)
        .order_by(_R.c.opened_at.desc())
        .limit(WAITS)
        for status in ("approved", "denied")
    ]
    newest = [row for query in decided for row in connection.execute(query)]
    newest.sort(key=lambda row: row.opened_at, reverse=True)
    return [row.waited for row in newest[:WAITS]]


def count_waiting(connection: Connection, tenant_id: str, now: int) -> tuple[int, int | None]:
    """How many of the oldest 1000 open reviews wait for a person, and since when (µs) the oldest does."""
    oldest = (
        select(_R.c.opened_at, _R.c.expires_at)
        .where(_R.c.tenant_id == tenant_id, _R.c.status == "pending")
        .order_by(_R.c.opened_at)
        .limit(MOST_WAITING)
        .subquery()
    )
    row = connection.execute(select(func.count(), func.min(oldest.c.opened_at)).where(oldest.c.expires_at > now)).one()
    return row[0], row[1]


def mints_of(connection: Connection, tenant_id: str, request_id: str, most: int) -> list[str]:
    """The requests that were minted from this one, oldest first."""
    return _ids(connection, most, _C.c.tenant_id == tenant_id, _C.c.original_request_id == request_id)


def children_of(connection: Connection, tenant_id: str, jti: str, most: int) -> list[str]:
    """The requests that were made under the approval with this `jti`, oldest first."""
    return _ids(connection, most, _C.c.tenant_id == tenant_id, _C.c.parent_jti == jti)


def _ids(connection: Connection, most: int, *conditions: Any) -> list[str]:
    # As an expression: SQLite would rather walk through all requests in order than sort the few that an index finds.
    in_order = _C.c.request_id.concat("")
    query = select(_C.c.request_id).where(*conditions).order_by(in_order).limit(most)
    return list(connection.execute(query).scalars())


def _window(tenant_id: str, sought: Sought, before: Place | None, most: int) -> Subquery:
    """The newest requests from `before` on. Of a session, only its own: an index has them."""
    conditions = [_C.c.tenant_id == tenant_id]
    if before is not None:
        at, request_id = before
        conditions += [
            _C.c.requested_at <= at,
            or_(_C.c.requested_at < at, _C.c.request_id < request_id),
        ]
    if sought.since is not None:
        conditions.append(_C.c.requested_at >= sought.since)
    if sought.until is not None:
        conditions.append(_C.c.requested_at < sought.until)
    if sought.session_id:
        conditions.append(_C.c.session_hash == session_hash(sought.session_id))
    return (
        select(
            _C.c.requested_at,
            _C.c.request_id,
            _C.c.outcome,
            _C.c.tool_name,
            _C.c.agent_id,
            _C.c.policy_id,
            _C.c.reason_code,
            _C.c.decided_by,
        )
        .where(*conditions)
        .order_by(_C.c.requested_at.desc(), _C.c.request_id.desc())
        .limit(most)
        .subquery()
    )


def _wanted(window: Subquery, sought: Sought) -> list[Any]:
    conditions = []
    if sought.tool.endswith("*"):
        beginning = searchable(sought.tool[:-1])
        conditions.append(func.substr(window.c.tool_name, 1, len(beginning)) == beginning)
    elif sought.tool:
        conditions.append(window.c.tool_name == searchable(sought.tool))
    if sought.agent_id:
        conditions.append(window.c.agent_id == searchable(sought.agent_id))
    if sought.policy_id:
        conditions.append(window.c.policy_id == searchable(sought.policy_id))
    if sought.outcome is not None:
        conditions.append(window.c.outcome == str(sought.outcome))
    if sought.decided_by is not None:
        conditions.append(window.c.decided_by == str(sought.decided_by))
    if sought.reason_code:
        conditions.append(window.c.reason_code == searchable(sought.reason_code))
    return conditions


def _has_text(sought: str) -> Any:
    """In what was asked, or in the reason; as JSON has it, whatever its case."""
    part = encode_text(sought)[1:-1]
    for special in ("\\", "%", "_"):
        part = part.replace(special, f"\\{special}")
    reason = f'{{"outcome":"%","reason":"%{part}%","reason\\_code":%'
    return or_(_C.c.request.ilike(f"%{part}%", escape="\\"), _C.c.decision.ilike(reason, escape="\\"))


def _end_of(connection: Connection, window: Subquery, most: int) -> Place | None:
    """The last request that was examined, if there may be more behind it."""
    last = select(window.c.requested_at, window.c.request_id).order_by(
        window.c.requested_at.desc(), window.c.request_id.desc()
    )
    row = connection.execute(last.offset(most - 1).limit(1)).one_or_none()
    return None if row is None else (row.requested_at, row.request_id)


def _by_id(connection: Connection, tenant_id: str, sought: Sought, before: Place | None) -> Found:
    """A whole id finds its request, whatever else is asked for."""
    found = [] if before is not None else _in_order(connection, tenant_id, [sought.text])
    return Found(found, None)


def _in_order(connection: Connection, tenant_id: str, request_ids: Sequence[str]) -> list[Clearance]:
    found = load_clearances(connection, tenant_id, list(request_ids))
    return [found[request_id] for request_id in request_ids if request_id in found]

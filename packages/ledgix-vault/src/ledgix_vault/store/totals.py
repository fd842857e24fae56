"""How many requests there were, by the hour: all, by tool, by agent, and by the time that their decision took. Kept in
the transaction that makes or moves a request, so that an overview needs no look at each of them.

The time of a decision runs from when its request was read (for one that a judge decides: from when it was stored) to
when its group of transactions is written, right before COMMIT. Each request is counted once, as unmeasured until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from sqlalchemy import Connection, func, select

from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import DeciderType
from ledgix_vault.clearance.decision_times import UNMEASURED, bound_of
from ledgix_vault.store import schema
from ledgix_vault.store.found_by import searchable
from ledgix_vault.store.unit import Row, Timed, Unit
from ledgix_vault.times import MICROSECONDS

HOUR = 3600 * MICROSECONDS
_T = schema.request_total


class Dimension(StrEnum):
    """By what requests are counted."""

    ALL = "all"
    TOOL = "tool"
    AGENT = "agent"
    TIME = "time"


def count(unit: Unit, clearance: Clearance, read_at: int) -> None:
    """Counts a new request, read at `read_at` (µs)."""
    for key in total_keys(clearance):
        unit.count(key, 1)
    if clearance.decision.awaits_judge:
        unit.count(_unmeasured(clearance), 1)
    else:
        unit.time(_timed(clearance, DeciderType.ENGINE, read_at))


def count_judged(unit: Unit, clearance: Clearance) -> None:
    """Counts how long a request took that awaited its judge, now that the judge has spoken or was given up."""
    unit.count(_unmeasured(clearance), -1)
    unit.time(_timed(clearance, DeciderType.JUDGE, clearance.requested_at))


def recount(unit: Unit, before: Clearance, after: Clearance) -> None:
    """Counts a request as what it became; `before` is what it was counted as."""
    for old, new in zip(total_keys(before), total_keys(after), strict=True):
        if old != new:
            unit.count(old, -1)
            unit.count(new, 1)


def total_keys(clearance: Clearance) -> Iterator[Row]:
    """The keys of the totals in which a request is counted, always in the same order."""
    tenant_id, hour = clearance.tenant_id, clearance.requested_at // HOUR
    outcome, request = clearance.decision.outcome.value, clearance.request
    yield tenant_id, "all", hour, "", outcome, clearance.decision.decider.type.value
    yield tenant_id, "tool", hour, searchable(request.tool_name), outcome, ""
    yield tenant_id, "agent", hour, searchable(request.agent_id), outcome, ""


def time_key(timed: Timed, written_at: int) -> Row:
    """The key of the total of decisions that took as long as this one, made at `written_at` (µs)."""
    bound = bound_of(written_at - timed.since)
    return timed.tenant_id, "time", timed.hour, bound, "", timed.decided_by


def _timed(clearance: Clearance, by: DeciderType, since: int) -> Timed:
    return Timed(clearance.tenant_id, clearance.requested_at // HOUR, by.value, since)


def _unmeasured(clearance: Clearance) -> Row:
    return clearance.tenant_id, "time", clearance.requested_at // HOUR, UNMEASURED, "", ""


def times_by_hour(
    connection: Connection, tenant_id: str, decided_by: DeciderType, since: int
) -> list[tuple[int, str, int]]:
    """(hour, name of the bound, decisions) of every hour from `since` on, as far as they were measured."""
    rows = connection.execute(
        select(_T.c.hour, _T.c.name, _T.c.requests).where(
            _T.c.tenant_id == tenant_id,
            _T.c.dimension == str(Dimension.TIME),
            _T.c.hour >= since,
            _T.c.decided_by == str(decided_by),
            _T.c.requests > 0,
        )
    )
    return [(row.hour, row.name, row.requests) for row in rows]


def totals_by_hour(connection: Connection, tenant_id: str, since: int) -> list[tuple[int, str, str, int]]:
    """(hour, outcome, decided_by, requests) of every hour from `since` on."""
    rows = connection.execute(
        select(_T.c.hour, _T.c.outcome, _T.c.decided_by, _T.c.requests).where(
            _T.c.tenant_id == tenant_id, _T.c.dimension == str(Dimension.ALL), _T.c.hour >= since, _T.c.requests > 0
        )
    )
    return [(row.hour, row.outcome, row.decided_by, row.requests) for row in rows]


def most_requested(
    connection: Connection, tenant_id: str, dimension: Dimension, since: int, most: int
) -> list[tuple[str, dict[str, int]]]:
    """The tools or agents with most requests in the hours from `since` on, each with its requests by outcome."""
    requests = func.sum(_T.c.requests)
    of_them = (_T.c.tenant_id == tenant_id, _T.c.dimension == str(dimension), _T.c.hour >= since)
    rows = connection.execute(
        select(_T.c.name).where(*of_them).group_by(_T.c.name).order_by(requests.desc(), _T.c.name).limit(most)
    )
    found: dict[str, dict[str, int]] = {row.name: {} for row in rows}
    parts = connection.execute(
        select(_T.c.name, _T.c.outcome, requests.label("requests"))
        .where(*of_them, _T.c.name.in_(list(found)))
        .group_by(_T.c.name, _T.c.outcome)
    )
    for row in parts:
        if row.requests:
            found[row.name][row.outcome] = int(row.requests)
    return [(name, outcomes) for name, outcomes in found.items() if outcomes]

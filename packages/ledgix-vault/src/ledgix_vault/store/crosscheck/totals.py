"""The hourly totals against the requests that they count. What the requests say is held against the ledger itself.

How long a decision took stands nowhere else: of times it can only be said that each request of an hour was counted
once, within a bound that there is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, func, literal, select

from ledgix_vault.clearance.decision import DeciderType
from ledgix_vault.clearance.decision_times import BOUNDS, LONGER, UNMEASURED
from ledgix_vault.store import schema
from ledgix_vault.store.totals import HOUR, Dimension

_C, _T = schema.clearance, schema.request_total
_BY = {Dimension.ALL: _C.c.decided_by, Dimension.TOOL: _C.c.tool_name, Dimension.AGENT: _C.c.agent_id}
_TIMES = {(UNMEASURED, "", "")} | {
    (name, "", str(decided_by))
    for name in (*map(str, BOUNDS), LONGER)
    for decided_by in (DeciderType.ENGINE, DeciderType.JUDGE)
}


def total_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    """Every total that isn't the number of its requests."""
    rows = connection.execute(select(_T).where(_T.c.tenant_id == tenant_id)).all()
    stored = {
        (row.dimension, row.hour, row.name, row.outcome, row.decided_by): row.requests
        for row in rows
        if row.dimension != Dimension.TIME
    }
    counted = {key: number for dimension in _BY for key, number in _counted(connection, tenant_id, dimension)}
    for key in sorted(stored.keys() | counted.keys()):
        said, there = stored.get(key, 0), counted.get(key, 0)
        if said != there:
            dimension, hour, name, outcome, _ = key
            what = f"{dimension} {name!r}" if name else "all"
            yield f"the total of requests ({what}, hour {hour}, {outcome}) says {said}; there are {there}"
    requests: Counter[int] = Counter()
    for (dimension, hour, *_), number in counted.items():
        if dimension == Dimension.ALL:
            requests[hour] += number
    yield from _time_flaws([row for row in rows if row.dimension == Dimension.TIME], requests)


def _time_flaws(rows: Iterable[Any], requests: Counter[int]) -> Iterator[str]:
    timed: Counter[int] = Counter()
    for row in rows:
        timed[row.hour] += row.requests
        if row.requests < 0 or (row.name, row.outcome, row.decided_by) not in _TIMES:
            yield (
                f"the times of decisions (hour {row.hour}) have {row.requests} within {row.name!r}"
                f" by {row.decided_by!r}, which can't be"
            )
    for hour in sorted(timed.keys() | requests.keys()):
        if timed[hour] != requests[hour]:
            yield f"the times of decisions (hour {hour}) are of {timed[hour]} requests; there are {requests[hour]}"


def _counted(connection: Connection, tenant_id: str, dimension: Dimension) -> Iterator[tuple[tuple[Any, ...], int]]:
    by = _BY[dimension]
    hour = (_C.c.requested_at // literal(HOUR, literal_execute=True)).label("hour")
    found = connection.execute(
        select(hour, _C.c.outcome, func.count(), by).where(_C.c.tenant_id == tenant_id).group_by(hour, _C.c.outcome, by)
    )
    for at, outcome, number, named in found:
        name, decided_by = ("", named) if dimension is Dimension.ALL else (named, "")
        yield (str(dimension), at, name, outcome, decided_by), number

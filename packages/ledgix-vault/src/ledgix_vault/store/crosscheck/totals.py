"""The hourly totals against the requests that they count. What the requests say is held against the ledger itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, func, literal, select

from ledgix_vault.store import schema
from ledgix_vault.store.totals import HOUR, Dimension

_C, _T = schema.clearance, schema.request_total
_BY = {Dimension.ALL: _C.c.decided_by, Dimension.TOOL: _C.c.tool_name, Dimension.AGENT: _C.c.agent_id}


def total_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    """Every total that isn't the number of its requests."""
    stored = {
        (row.dimension, row.hour, row.name, row.outcome, row.decided_by): row.requests
        for row in connection.execute(select(_T).where(_T.c.tenant_id == tenant_id))
    }
    counted = {key: number for dimension in Dimension for key, number in _counted(connection, tenant_id, dimension)}
    for key in sorted(stored.keys() | counted.keys()):
        said, there = stored.get(key, 0), counted.get(key, 0)
        if said != there:
            dimension, hour, name, outcome, _ = key
            what = f"{dimension} {name!r}" if name else "all"
            yield f"the total of requests ({what}, hour {hour}, {outcome}) says {said}; there are {there}"


def _counted(connection: Connection, tenant_id: str, dimension: Dimension) -> Iterator[tuple[tuple[Any, ...], int]]:
    by = _BY[dimension]
    hour = (_C.c.requested_at // literal(HOUR, literal_execute=True)).label("hour")
    found = connection.execute(
        select(hour, _C.c.outcome, func.count(), by).where(_C.c.tenant_id == tenant_id).group_by(hour, _C.c.outcome, by)
    )
    for at, outcome, number, named in found:
        name, decided_by = ("", named) if dimension is Dimension.ALL else (named, "")
        yield (str(dimension), at, name, outcome, decided_by), number

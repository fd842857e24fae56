"""What the Vault decided of requests by itself, read from the ledger: rows are overwritten when a person decides."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, func, select

from ledgix.formats.confidence import ConfidenceBucket
from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import Outcome
from ledgix_vault.clearance.thresholds import DecisionMade
from ledgix_vault.limits.findings import Result
from ledgix_vault.policy.effect import Effect
from ledgix_vault.store import schema
from ledgix_vault.times import rfc3339

_E = schema.event


class _Decision(msgspec.Struct, frozen=True):
    outcome: Outcome
    reason_code: str | None
    confidence_bucket: ConfidenceBucket


class _Limit(msgspec.Struct, frozen=True):
    result: Result
    effect: Effect


class _Beside(msgspec.Struct, frozen=True):
    limits: list[_Limit] = []


class _Intent(msgspec.Struct, frozen=True):
    request_id: str
    decision: _Decision
    action_metadata: _Beside


_DECODER = msgspec.json.Decoder(_Intent)


def decisions_since(connection: Connection, tenant_id: str, since: int, most: int) -> tuple[list[DecisionMade], bool]:
    """The tenant's newest `most` decisions since a moment (µs), newest first, one for each request, and whether these
    are all. What awaited a judge counts as the judge left it."""
    rows = connection.execute(
        select(_E.c.intent)
        .where(
            _E.c.tenant_id == tenant_id,
            _E.c.leaf_index >= _first_since(connection, tenant_id, rfc3339(since)),
            _E.c.kind == str(EventKind.CLEARANCE_DECIDED),
        )
        .order_by(_E.c.leaf_index.desc())
        .limit(most + 1)
    ).all()
    found: dict[str, DecisionMade] = {}
    for row in rows[:most]:
        intent = _DECODER.decode(row.intent)
        if intent.request_id not in found:
            found[intent.request_id] = _made(intent)
    return list(found.values()), len(rows) <= most


def _made(intent: _Intent) -> DecisionMade:
    decision = intent.decision
    return DecisionMade(
        outcome=decision.outcome,
        reason_code=decision.reason_code,
        bucket=decision.confidence_bucket,
        limited=any(limit.result is not Result.WITHIN for limit in intent.action_metadata.limits),
    )


def _first_since(connection: Connection, tenant_id: str, moment: str) -> int:
    """The first leaf that was accepted at this moment or later: moments never fall along a log, so halving finds it."""
    newest = connection.execute(select(func.max(_E.c.leaf_index)).where(_E.c.tenant_id == tenant_id)).scalar()
    low, high = 0, -1 if newest is None else int(newest)
    while low <= high:
        middle = (low + high) // 2
        accepted = connection.execute(
            select(_E.c.accepted_at).where(_E.c.tenant_id == tenant_id, _E.c.leaf_index == middle)
        ).scalar_one()
        low, high = (middle + 1, high) if accepted < moment else (low, middle - 1)
    return low

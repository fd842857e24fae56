"""What happened lately, in figures: requests by outcome, automation, waiting for people, tools, agents, budgets."""

from __future__ import annotations

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.decision import DeciderType, Outcome
from ledgix_vault.clearance.decision_times import Times, add_up_times
from ledgix_vault.clearance.overview import Range, Totals, add_up, quantile
from ledgix_vault.operations.steps.budgets import limit_use
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.requests import count_waiting, review_waits
from ledgix_vault.store.totals import HOUR, Dimension, most_requested, times_by_hour, totals_by_hour
from ledgix_vault.tenancy.callers import Caller, may_read_policies
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import MICROSECONDS, rfc3339
from ledgix_vault.vault import Vault

TOP = 8
TIMED = {"rules": DeciderType.ENGINE, "judge": DeciderType.JUDGE}


async def read_overview(vault: Vault, caller: Caller, span: Range) -> JsonObject:
    """The figures of the caller's tenant for the last hours or days, as of now. Budgets are those that all calls of a
    limit share, and shown to who may read policies or the full ledger."""
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL)
    tenant_id, now = caller.tenant_id, vault.clock()
    hour = now // HOUR
    first = span.first_hour(hour)

    def read(connection: Connection) -> JsonObject:
        totals = add_up(span, hour, totals_by_hour(connection, tenant_id, first))
        return {
            "range": str(span),
            "since": rfc3339(first * HOUR),
            "step_seconds": span.step * HOUR // MICROSECONDS,
            "requests": totals.requests,
            "outcomes": _by_outcome(totals.outcomes),
            "steps": _steps(totals),
            "decided": totals.decided,
            "decided_without_a_person": totals.without_a_person,
            "decision_times": {
                name: _times(connection, tenant_id, decided_by, span, hour) for name, decided_by in TIMED.items()
            },
            "reviews": _reviews(connection, tenant_id, first * HOUR, now),
            "tools": _top(connection, tenant_id, Dimension.TOOL, first),
            "agents": _top(connection, tenant_id, Dimension.AGENT, first),
            "budgets": _budgets(vault, caller, connection, now),
        }

    return await vault.store.read(read)


def _by_outcome(outcomes: dict[str, int]) -> dict[str, Json]:
    return {str(outcome): outcomes.get(str(outcome), 0) for outcome in Outcome}


def _steps(totals: Totals) -> list[Json]:
    return [
        {"at": rfc3339((totals.first_hour + place * totals.step) * HOUR), **_by_outcome(step)}
        for place, step in enumerate(totals.steps)
    ]


def _times(connection: Connection, tenant_id: str, decided_by: DeciderType, span: Range, hour: int) -> JsonObject:
    """How long decisions took, from reading the request to writing the decision; what the Vault can say of it."""
    first = span.first_hour(hour)
    times = add_up_times(span, hour, times_by_hour(connection, tenant_id, decided_by, first))
    steps = [
        {"at": rfc3339((first + place * span.step) * HOUR), **_within(step)} for place, step in enumerate(times.steps)
    ]
    return {**_within(times.whole), "steps": list[Json](steps)}


def _within(times: Times) -> dict[str, Json]:
    return {
        "measured": times.measured,
        "median_within_ms": times.median_within,
        "p95_within_ms": times.p95_within,
    }


def _reviews(connection: Connection, tenant_id: str, since: int, now: int) -> JsonObject:
    """Waiting: now, and how long the decided ones took, in whole seconds."""
    waiting, oldest = count_waiting(connection, tenant_id, now)
    waits = review_waits(connection, tenant_id, since)
    median, most = quantile(waits, 0.5), quantile(waits, 0.9)
    return {
        "waiting": waiting,
        "oldest_opened_at": None if oldest is None else rfc3339(oldest),
        "decided": len(waits),
        "median_seconds": None if median is None else median // MICROSECONDS,
        "p90_seconds": None if most is None else most // MICROSECONDS,
    }


def _top(connection: Connection, tenant_id: str, dimension: Dimension, first: int) -> list[Json]:
    return [
        {"name": name, "requests": sum(outcomes.values()), "outcomes": _by_outcome(outcomes)}
        for name, outcomes in most_requested(connection, tenant_id, dimension, first, TOP)
    ]


def _budgets(vault: Vault, caller: Caller, connection: Connection, now: int) -> list[Json]:
    """One for each limit whose calls all share it: a limit may have a budget for each customer, thousands of them."""
    if not may_read_policies(caller):
        return []
    policies = vault.store.tenant(caller.tenant_id).snapshot.policies
    return [
        limit_use(connection, caller.tenant_id, policy.document, limit, now, 1)
        for policy in sorted(policies, key=lambda policy: policy.document.policy_id)
        for limit in policy.document.limits
        if not limit.per
    ]

"""Budgets as stored: a total for each, over the uses that its window still holds.

Invariants
- A budget's `total` is the exact sum of its uses that aren't released and were reserved after `since`.
- Who reads a total in order to decide holds the budget's row until the transaction ends (SQLite has one writer;
  PostgreSQL locks the row), so no two decisions add to the same total.
- Time alone ends a reservation that nobody fetched: from `lapses_at` on it counts no more, whoever notices first.

Bringing a total up to date looks only at uses that left the window since the last time, so it costs the same however
many the window holds. A window that a new policy version changed is summed anew, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Select, and_, bindparam, delete, select, text, update

from ledgix_vault.limits.demands import BudgetKey, Demand, plain
from ledgix_vault.limits.findings import Taken
from ledgix_vault.limits.windows import Window
from ledgix_vault.policy.cel.inputs import EXACT
from ledgix_vault.store import schema
from ledgix_vault.store.unit import Unit

_B, _U = schema.limit_budget, schema.limit_use
NOTHING = Decimal(0)
MOST_LOOKED_THROUGH = 1000
"""Uses that are looked through for the moment at which a rolling window has room again."""


class UseState(StrEnum):
    """Where an amount stands: kept for a call that may still run, taken by one, or given back."""

    RESERVED = "reserved"
    SPENT = "spent"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Budget:
    """`total` is over what was reserved after `since` (µs) and not released."""

    window: str
    since: int
    total: Decimal


_OPEN = text(
    "INSERT INTO limit_budget (tenant_id, budget, policy_id, limit_id, unit, per, window_name, since, total)"
    " VALUES (:tenant_id, :budget, :policy_id, :limit_id, :unit, :per, :window_name, :since, '0')"
    " ON CONFLICT DO NOTHING"
)
_THE_BUDGET = and_(_B.c.tenant_id == bindparam("of_tenant"), _B.c.budget == bindparam("of_budget"))
_OF_THE_BUDGET = and_(_U.c.tenant_id == bindparam("of_tenant"), _U.c.budget == bindparam("of_budget"))
_BUDGET = select(_B.c.window_name, _B.c.since, _B.c.total).where(_THE_BUDGET)
_LOCKED = _BUDGET.with_for_update()
_LAPSED = select(_U.c.amount, _U.c.reserved_at).where(
    _OF_THE_BUDGET, _U.c.state == text("'reserved'"), _U.c.lapses_at <= bindparam("now")
)
_BETWEEN = select(_U.c.amount).where(
    _OF_THE_BUDGET,
    _U.c.reserved_at > bindparam("after"),
    _U.c.reserved_at <= bindparam("until"),
    _U.c.state != text("'released'"),
)
_WRITE = (
    update(_B)
    .where(_THE_BUDGET)
    .values(window_name=bindparam("new_window"), since=bindparam("new_since"), total=bindparam("new_total"))
)
_ADD = update(_B).where(_THE_BUDGET).values(total=bindparam("new_total"))
_RELEASE_LAPSED = (
    update(_U)
    .where(_OF_THE_BUDGET, _U.c.state == text("'reserved'"), _U.c.lapses_at <= bindparam("now"))
    .values(state="released", released_at=bindparam("now"))
)


def lock_budget(unit: Unit, tenant_id: str, demand: Demand) -> Budget:
    """The demanded budget as of now, its row held until the transaction ends. A budget begins with its first demand."""
    key, window = demand.key, demand.window
    place = {"of_tenant": tenant_id, "of_budget": key.id}
    row = unit.read(_LOCKED, place).one_or_none()
    if row is None:
        unit.write(_OPEN, _new_row(tenant_id, key, window, unit.now))
        row = unit.read(_LOCKED, place).one()
    stored = Budget(row.window_name, row.since, Decimal(row.total))
    lapsed = unit.read(_LAPSED, place | {"now": unit.now}).all()
    current = _moved(unit.connection, place, stored, lapsed, window, unit.now)
    if lapsed:
        unit.write(_RELEASE_LAPSED, place | {"now": unit.now})
    if current != stored:
        _write(unit, tenant_id, key.id, current)
    return current


def used_of(connection: Connection, tenant_id: str, demand: Demand, now: int) -> Decimal:
    """What the demanded budget holds at `now`, for whoever doesn't decide by it: nothing is locked or written."""
    place = {"of_tenant": tenant_id, "of_budget": demand.key.id}
    row = connection.execute(_BUDGET, place).one_or_none()
    if row is None:
        return NOTHING
    stored = Budget(row.window_name, row.since, Decimal(row.total))
    return up_to_date(connection, tenant_id, demand.key.id, stored, demand.window, now).total


def up_to_date(connection: Connection, tenant_id: str, budget: str, stored: Budget, window: Window, now: int) -> Budget:
    """The budget as its window has it at `now`; writes nothing."""
    place = {"of_tenant": tenant_id, "of_budget": budget}
    lapsed = connection.execute(_LAPSED, place | {"now": now}).all()
    return _moved(connection, place, stored, lapsed, window, now)


def _moved(
    connection: Connection, place: dict[str, Any], stored: Budget, lapsed: Sequence[Any], window: Window, now: int
) -> Budget:
    """The budget without what `lapsed` and without what left the window."""
    since = window.since(now)
    if stored.window != window.name or since < stored.since:
        counted = connection.execute(_BETWEEN, place | {"after": since, "until": now}).scalars()
        return Budget(window.name, since, _less(_sum(counted), _amounts(lapsed, since, now)))
    total = _less(stored.total, _amounts(lapsed, stored.since, now))
    if since == stored.since:
        return replace(stored, total=total)
    # What lapsed was subtracted already; the rest of what left the window follows.
    left = _sum(connection.execute(_BETWEEN, place | {"after": stored.since, "until": since}).scalars())
    left = _less(left, _amounts(lapsed, stored.since, since))
    if not left and window.length is not None:
        return replace(stored, total=total)  # an older `since` stays true as long as nothing lies between
    return Budget(window.name, since, EXACT.subtract(total, left))


def _amounts(uses: Sequence[Any], after: int, until: int) -> list[str]:
    return [use.amount for use in uses if after < use.reserved_at <= until]


def take(
    unit: Unit, tenant_id: str, request_id: str, taken: Iterable[Taken], *, state: UseState, lapses_at: int | None
) -> None:
    """Takes amounts of budgets for a request, whatever they hold: whether they fit was decided before, in this unit."""
    for each in sorted(taken):
        row = unit.read(_LOCKED, {"of_tenant": tenant_id, "of_budget": each.budget}).one()
        total = EXACT.add(Decimal(row.total), each.amount)
        unit.write(_ADD, {"of_tenant": tenant_id, "of_budget": each.budget, "new_total": plain(total)})
        unit.insert(_U, (tenant_id, request_id, each.budget, plain(each.amount), str(state), unit.now, lapses_at, None))


def give_back(unit: Unit, tenant_id: str, request_id: str, states: Iterable[UseState]) -> None:
    """Releases what the request holds in one of `states`."""
    released = unit.write_returning(
        update(_U)
        .where(
            _U.c.tenant_id == tenant_id,
            _U.c.request_id == request_id,
            _U.c.state.in_([str(state) for state in states]),
        )
        .values(state=str(UseState.RELEASED), released_at=unit.now)
        .returning(_U.c.budget, _U.c.amount, _U.c.reserved_at)
    )
    _subtract(unit, tenant_id, released)


def withdraw(unit: Unit, tenant_id: str, request_id: str) -> None:
    """Removes what the request holds, to be taken anew in the same unit."""
    removed = unit.write_returning(
        delete(_U)
        .where(_U.c.tenant_id == tenant_id, _U.c.request_id == request_id)
        .returning(_U.c.budget, _U.c.amount, _U.c.reserved_at, _U.c.state)
    )
    _subtract(unit, tenant_id, [row for row in removed if row.state != UseState.RELEASED])


def mark_spent(unit: Unit, tenant_id: str, request_id: str) -> None:
    """What was reserved for the request is spent: its token is handed out."""
    unit.write(
        update(_U)
        .where(_U.c.tenant_id == tenant_id, _U.c.request_id == request_id, _U.c.state == str(UseState.RESERVED))
        .values(state=str(UseState.SPENT), lapses_at=None)
    )


def _subtract(unit: Unit, tenant_id: str, rows: Iterable[Any]) -> None:
    for row in sorted(rows, key=lambda row: str(row.budget)):  # always in the same order: locks never cross
        budget = unit.read(_LOCKED, {"of_tenant": tenant_id, "of_budget": row.budget}).one()
        if row.reserved_at > budget.since:
            total = EXACT.subtract(Decimal(budget.total), Decimal(row.amount))
            _write(unit, tenant_id, row.budget, Budget(budget.window_name, budget.since, total))


def share_of(connection: Connection, tenant_id: str, request_id: str, budget: str, since: int) -> Decimal:
    """How much of the budget's total is the request's own."""
    if not request_id:
        return NOTHING
    amounts = connection.execute(
        select(_U.c.amount).where(
            _U.c.tenant_id == tenant_id,
            _U.c.request_id == request_id,
            _U.c.budget == budget,
            _U.c.reserved_at > since,
            _U.c.state != str(UseState.RELEASED),
        )
    ).scalars()
    return _sum(amounts)


def room_again_at(connection: Connection, tenant_id: str, demand: Demand, used: Decimal, now: int) -> int | None:
    """When (µs) enough of a window will have passed for the demand to fit, if nothing else happens; None if never, or
    if too many uses would have to be looked through."""
    window, most = demand.window, demand.limit.most
    if demand.amount > most:
        return None
    length = window.length
    if length is None:
        return window.next_start(now)
    rows = connection.execute(_oldest(tenant_id, demand.key.id, window.since(now), now)).all()
    for row in rows:
        used = EXACT.subtract(used, Decimal(row.amount))
        if EXACT.add(used, demand.amount) <= most:
            return int(row.reserved_at) + length
    return None


def _oldest(tenant_id: str, budget: str, since: int, now: int) -> Select[Any]:
    counts = (_U.c.state == str(UseState.SPENT)) | (_U.c.lapses_at.is_(None)) | (_U.c.lapses_at > now)
    return (
        select(_U.c.amount, _U.c.reserved_at)
        .where(
            _U.c.tenant_id == tenant_id,
            _U.c.budget == budget,
            _U.c.reserved_at > since,
            _U.c.state != str(UseState.RELEASED),
            counts,
        )
        .order_by(_U.c.reserved_at)
        .limit(MOST_LOOKED_THROUGH)
    )


def budgets_of(connection: Connection, tenant_id: str, policy_id: str, limit_id: str) -> list[Any]:
    """Rows of every budget of one limit."""
    return list(
        connection.execute(
            select(_B).where(_B.c.tenant_id == tenant_id, _B.c.policy_id == policy_id, _B.c.limit_id == limit_id)
        ).all()
    )


def _new_row(tenant_id: str, key: BudgetKey, window: Window, now: int) -> dict[str, Any]:
    return {
        "tenant_id": tenant_id,
        "budget": key.id,
        "policy_id": key.policy_id,
        "limit_id": key.limit_id,
        "unit": key.unit,
        "per": key.per_text,
        "window_name": window.name,
        "since": window.since(now),
    }


def _write(unit: Unit, tenant_id: str, budget: str, current: Budget) -> None:
    unit.write(
        _WRITE,
        {
            "of_tenant": tenant_id,
            "of_budget": budget,
            "new_window": current.window,
            "new_since": current.since,
            "new_total": plain(current.total),
        },
    )


def _sum(amounts: Iterable[str]) -> Decimal:
    total = NOTHING
    for amount in amounts:
        total = EXACT.add(total, Decimal(amount))
    return total


def _less(total: Decimal, amounts: Iterable[str]) -> Decimal:
    return EXACT.subtract(total, _sum(amounts))

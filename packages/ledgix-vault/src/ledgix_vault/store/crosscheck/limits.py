"""Budgets and reported outcomes against the ledger.

- A request holds of budgets exactly what the findings of its newest decision say, since that decision's moment, if that
  decision approved it or asked a person; else what an earlier one took was given back.
- Where each amount stands follows from the request's own story: spent from the hand-out on, given back when a review
  ended without one, when nobody fetched the token in time, or when the call was reported as refused.
- A budget's total is the sum of what its window still holds, and its window has not moved beyond the present.
- An outcome is reported if and only if, as and when, an entry says so.
- A call has one retry at most, minted after its outcome was reported as unknown, and it is the one that an entry names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from ledgix.formats import jcs
from ledgix.formats.events import EventKind
from ledgix.formats.json import parse_object
from ledgix_vault.clearance.decision import Outcome
from ledgix_vault.clearance.facts import AFTER_OUTCOME
from ledgix_vault.clearance.reports import Report, Reported
from ledgix_vault.limits.demands import plain
from ledgix_vault.limits.findings import Finding, takes
from ledgix_vault.limits.windows import Window
from ledgix_vault.policy.cel.inputs import EXACT
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import Entry, entries, entries_of_kinds, readable
from ledgix_vault.store.limits import UseState
from ledgix_vault.store.reports import report_of_row
from ledgix_vault.times import rfc3339

_B, _C, _E, _U, _O = schema.limit_budget, schema.clearance, schema.event, schema.limit_use, schema.outcome_report
_SPEAKS_OF_RETRIES = f'"{AFTER_OUTCOME}":"'
_SPEAKS_OF_LIMITS = '"limits":[{'
_OPENING = (EventKind.CLEARANCE_DECIDED, EventKind.TOKEN_MINTED)
_ENDING = (EventKind.REVIEW_DECIDED, EventKind.REVIEW_EXPIRED, EventKind.REVIEW_CANCELLED_BY_AGENT)
_HELD = (Outcome.APPROVED, Outcome.PENDING)


def limit_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    """Every flaw of the tenant's budgets and of what was reported of its calls."""
    yield from readable("the reported outcomes", partial(_report_flaws, connection, tenant_id))
    yield from readable("the limits", partial(_use_flaws, connection, tenant_id))
    yield from readable("the budgets", partial(_budget_flaws, connection, tenant_id))


def _report_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    reports = {report.request_id: report for report in _reports(connection, tenant_id)}
    yield from _retry_flaws(connection, tenant_id, dict(reports))
    for entry in entries_of_kinds(connection, tenant_id, [EventKind.OUTCOME_REPORTED]):
        report = reports.pop(entry.request_id, None)
        if report is None:
            yield f"request {entry.request_id} (entry {entry.position}): its reported outcome is missing"
        elif (
            {**entry.metadata, **report.for_ledger()} != entry.metadata
            or rfc3339(report.reported_at) != entry.accepted_at
            or report.reported_by != entry.decider_id
        ):
            yield f"request {entry.request_id}: its reported outcome says otherwise than entry {entry.position}"
    for request_id in sorted(reports):
        yield f"request {request_id}: no entry says that an outcome was reported"


def _retry_flaws(connection: Connection, tenant_id: str, reports: Mapping[str, Report]) -> Iterator[str]:
    """What the rows say about retries against the entries that minted them."""
    minted = _E.c.kind == str(EventKind.TOKEN_MINTED)
    retries: dict[str, list[Entry]] = {}
    for entry in entries(connection, tenant_id, minted, _E.c.intent.contains(_SPEAKS_OF_RETRIES)):
        if AFTER_OUTCOME in entry.metadata:
            retries.setdefault(str(entry.intent["original_request_id"]), []).append(entry)
    for request_id in sorted({*retries, *(each.request_id for each in reports.values() if each.retried_as)}):
        told, report = retries.get(request_id, []), reports.get(request_id)
        said = [] if report is None or report.retried_as is None else [report.retried_as]
        if [entry.request_id for entry in told] != said:
            yield f"request {request_id}: its row says otherwise than the ledger about its retry"
        elif report is not None and report.outcome is not Reported.UNKNOWN:
            yield f"request {request_id}: it was retried by entry {told[0].position}, though its outcome is known"


def _reports(connection: Connection, tenant_id: str) -> list[Report]:
    return [report_of_row(row) for row in connection.execute(select(_O).where(_O.c.tenant_id == tenant_id))]


def _use_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    rows: dict[str, list[Any]] = {}
    for row in connection.execute(select(_U).where(_U.c.tenant_id == tenant_id)):
        rows.setdefault(row.request_id, []).append(row)
    stories = _stories(connection, tenant_id)
    refused = {report.request_id for report in _reports(connection, tenant_id) if report.outcome is Reported.REFUSED}
    handed_out = _handed_out(connection, tenant_id, stories)
    for request_id in sorted({*rows, *stories}):
        look = partial(_request_flaws, rows.get(request_id, []), stories.get(request_id, []))
        ends = _Ends(handed_out=request_id in handed_out, refused=request_id in refused)
        for flaw in look(ends):
            yield f"request {request_id}: {flaw}"


def _stories(connection: Connection, tenant_id: str) -> dict[str, list[Entry]]:
    """The entries that decided each request about which any of them speaks of limits, oldest first."""
    limited = select(_E.c.request_id).where(_E.c.tenant_id == tenant_id, _E.c.intent.contains(_SPEAKS_OF_LIMITS))
    kinds = [str(kind) for kind in (*_OPENING, *_ENDING)]
    stories: dict[str, list[Entry]] = {}
    for entry in entries(connection, tenant_id, _E.c.kind.in_(kinds), _E.c.request_id.in_(limited)):
        stories.setdefault(entry.request_id, []).append(entry)
    return {request_id: story for request_id, story in stories.items() if any("limits" in e.metadata for e in story)}


class _Ends:
    """How a request's call ended, as far as budgets go."""

    def __init__(self, *, handed_out: bool, refused: bool) -> None:
        self.handed_out = handed_out
        self.refused = refused


def _handed_out(connection: Connection, tenant_id: str, stories: Mapping[str, Sequence[Entry]]) -> set[str]:
    issued = connection.execute(
        select(_C.c.request_id).where(_C.c.tenant_id == tenant_id, _C.c.issued_at.is_not(None))
    ).scalars()
    return stories.keys() & set(issued)


def _request_flaws(rows: Sequence[Any], story: Sequence[Entry], ends: _Ends) -> Iterator[str]:
    taking = [entry for entry in story if _outcome(entry) in _HELD]
    if not taking:
        if rows:
            yield "it holds of a budget what no entry says"
        return
    took = taking[-1]
    expected = {each.budget: plain(each.amount) for each in takes(_findings(took))}
    if {row.budget: row.amount for row in rows} != expected:
        yield f"it holds of budgets something else than entry {took.position} says"
    for row in rows:
        if rfc3339(row.reserved_at) != took.accepted_at:
            yield f"it holds of a budget since another time than entry {took.position} says"
        if row.state not in _states(row, story[-1], ends):
            yield f"what it holds of a budget is {row.state}, which its entries don't say"
        if (row.released_at is not None) != (row.state == UseState.RELEASED):
            yield "what it holds of a budget has a time of release that doesn't fit"


def _states(row: Any, newest: Entry, ends: _Ends) -> tuple[UseState, ...]:
    """Where an amount may stand. A reservation past its time is given back by whoever notices."""
    if ends.refused:
        return (UseState.RELEASED,)
    if ends.handed_out:
        return (UseState.SPENT,)
    if _outcome(newest) not in _HELD:
        return (UseState.RELEASED,)
    lapsed = row.lapses_at is not None and row.released_at is not None and row.released_at >= row.lapses_at
    return (UseState.RELEASED,) if lapsed else (UseState.RESERVED,)


def _budget_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    uses: dict[str, list[Any]] = {}
    for row in connection.execute(select(_U).where(_U.c.tenant_id == tenant_id)):
        uses.setdefault(row.budget, []).append(row)
    present = connection.execute(
        select(schema.log.c.last_accepted_at).where(schema.log.c.tenant_id == tenant_id)
    ).scalar_one()
    for budget in connection.execute(select(_B).where(_B.c.tenant_id == tenant_id)):
        name = f"the budget of limit '{budget.limit_id}' of policy '{budget.policy_id}' for {budget.per}"
        held = Decimal(0)
        for use in uses.pop(budget.budget, []):
            if use.state != UseState.RELEASED and use.reserved_at > budget.since:
                held = EXACT.add(held, Decimal(use.amount))
        if Decimal(budget.total) != held:
            yield f"{name} says {budget.total}, but its window holds {plain(held)}"
        if budget.since > Window.named(budget.window_name).since(present):
            yield f"{name} begins later than its window"
        if _id_of(budget) != budget.budget:
            yield f"{name} is not the budget that its id stands for"
    for budget_id in sorted(uses):
        yield f"the budget {budget_id} is missing, though requests hold some of it"


def _id_of(budget: Any) -> str:
    named = {"policy": budget.policy_id, "limit": budget.limit_id, "unit": budget.unit}
    return jcs.sha256_hex({**named, "per": parse_object(budget.per.encode())})


def _findings(entry: Entry) -> list[Finding]:
    return [Finding.from_json(found) for found in entry.metadata.get("limits", [])]


def _outcome(entry: Entry) -> Outcome:
    decision: Any = entry.intent["decision"]
    return Outcome(decision["outcome"])

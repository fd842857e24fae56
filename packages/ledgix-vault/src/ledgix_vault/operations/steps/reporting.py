"""Recording what became of an approved call: once, and for good.

Invariants
- Only of an approval whose token was handed out; a report is never about a call that nobody could have made.
- A report uses the token up: from then on nobody can make the call with it, so what `refused` gives back to budgets
  can't be spent by that same token.
- The same outcome again gets the same answer; another one is a conflict and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import Decider, Outcome, decider_of
from ledgix_vault.clearance.reports import Report, Reported
from ledgix_vault.errors import Conflict, NotFound
from ledgix_vault.operations.steps.limits import refund
from ledgix_vault.operations.steps.record import record_event
from ledgix_vault.store import schema
from ledgix_vault.store.clearances import CLEARANCES, find_clearance, find_clearance_by_jti, settle
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.reports import find_report, find_reported, report_row
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Told:
    """What the caller reports. The approval is named by its request, or else by its token's `jti`."""

    outcome: Reported
    detail: str = ""
    request_id: str = ""
    jti: str = ""


async def record_outcome(
    vault: Vault, caller: Caller, told: Told, key: IdempotencyKey | None
) -> tuple[JsonObject, bool]:
    """Records one outcome in a transaction of its own; the answer, and whether this is a replay.

    Durable on return: report, ledger event, and, where the call was refused, what budgets got back. Raises `NotFound`,
    or `Conflict` for what was never handed out or was reported otherwise.
    """
    stored = await vault.store.run(partial(_record, caller, told), key)
    if not isinstance(stored, Replayed):
        answer: JsonObject = stored
        return answer, False
    look = partial(find_reported, tenant_id=caller.tenant_id, request_id=stored.reference)
    return _answer(*await vault.store.read(look)), True


def _record(caller: Caller, told: Told, unit: Unit) -> Stored[JsonObject]:
    clearance = _find(caller, told, unit)
    before = find_report(unit.seeing(schema.outcome_report), caller.tenant_id, clearance.request_id)
    if before is not None:
        if before.outcome is told.outcome:
            return Stored(_answer(clearance, before), reference=clearance.request_id)
        raise Conflict(
            f"The outcome of this call was reported as {before.outcome}; nothing was changed.",
            code="outcome_already_reported",
            request_id=clearance.request_id,
        )
    decider = decider_of(caller)
    clearance = _use_up(unit, clearance, decider)
    report = Report(
        tenant_id=caller.tenant_id,
        request_id=clearance.request_id,
        outcome=told.outcome,
        detail=told.detail,
        reported_at=unit.now,
        reported_by=caller.identity,
    )
    unit.insert(schema.outcome_report, report_row(report))
    if report.outcome is Reported.REFUSED:
        refund(unit, clearance)
    record_event(unit, clearance, EventKind.OUTCOME_REPORTED, decider, beside=report.for_ledger())
    return Stored(_answer(clearance, report), reference=clearance.request_id)


def _find(caller: Caller, told: Told, unit: Unit) -> Clearance:
    found = (
        find_clearance(unit.seeing(*CLEARANCES), caller.tenant_id, told.request_id)
        if told.request_id
        else find_clearance_by_jti(unit.seeing(*CLEARANCES), caller.tenant_id, told.jti)
    )
    if found is None:
        raise NotFound("There is no approval with this id.")
    token = found.token
    if found.decision.outcome is not Outcome.APPROVED or token is None or not token.handed_out:
        raise Conflict(
            "Only of an approval whose token was handed out an outcome can be reported.",
            code="outcome_without_approval",
            request_id=found.request_id,
        )
    return found


def _use_up(unit: Unit, clearance: Clearance, decider: Decider) -> Clearance:
    """Consumes a token that could still be used, as `/consume-token` would have."""
    if not clearance.usable(unit.now):
        return clearance
    assert clearance.token is not None
    consumed = replace(clearance, token=replace(clearance.token, consumed_at=unit.now))
    if not settle(unit, clearance, consumed):
        raise Conflict("The approval changed a moment ago; look again.", code="settled_meanwhile")
    record_event(unit, consumed, EventKind.TOKEN_CONSUMED, decider)
    return consumed


def _answer(clearance: Clearance, report: Report) -> JsonObject:
    assert clearance.token is not None
    return report.answer(clearance.token.jti)

"""Stopping an agent, a tool or the whole tenant at once, and releasing it again; each is a ledger event."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import Decider
from ledgix_vault.errors import Conflict, NotFound
from ledgix_vault.ids import new_id
from ledgix_vault.notices.kinds import NoticeKind
from ledgix_vault.operations.steps.notices import notify
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.suspensions import add_suspension, end_suspension, find_suspension
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.suspensions import (
    MOST_STANDING,
    Suspension,
    SuspensionKind,
    check_reason,
    check_subject,
)
from ledgix_vault.vault import Vault


async def suspend(
    vault: Vault,
    tenant_id: str,
    kind: SuspensionKind,
    subject: str,
    reason: str,
    by: Decider,
    key: IdempotencyKey | None = None,
) -> tuple[Suspension, bool]:
    """Suspends; the suspension that now stands, and whether this is a replay.

    Durable and in force on return: whatever is decided, minted, handed out or consumed afterwards is under it. What is
    suspended already stays as it is, without another event.
    """
    check_subject(kind, subject)
    check_reason(reason)
    return await _run(vault, tenant_id, partial(_suspend, tenant_id, kind, subject, reason, by), key)


async def release(
    vault: Vault, tenant_id: str, suspension_id: str, reason: str, by: Decider, key: IdempotencyKey | None = None
) -> tuple[Suspension, bool]:
    """Ends a suspension; how it then stands, and whether this is a replay. Releasing it again changes nothing."""
    check_reason(reason)
    return await _run(vault, tenant_id, partial(_release, tenant_id, suspension_id, reason, by), key)


async def _run(
    vault: Vault, tenant_id: str, work: partial[Stored[Suspension]], key: IdempotencyKey | None
) -> tuple[Suspension, bool]:
    stored = await vault.store.run(work, key)
    if not isinstance(stored, Replayed):
        return stored, False
    found = await vault.store.read(partial(find_suspension, tenant_id=tenant_id, suspension_id=stored.reference))
    assert found is not None
    return found, True


def _suspend(
    tenant_id: str, kind: SuspensionKind, subject: str, reason: str, by: Decider, unit: Unit
) -> Stored[Suspension]:
    standing = unit.tenant(tenant_id).suspensions
    for each in standing:
        if (each.kind, each.subject) == (kind, subject):
            return Stored(each, reference=each.suspension_id)
    if len(standing) >= MOST_STANDING:
        raise Conflict(
            f"{MOST_STANDING} suspensions stand already; use a pattern, or suspend the whole tenant.",
            code="too_many_suspensions",
        )
    suspension = Suspension(new_id(), kind, subject, reason, suspended_at=unit.now, suspended_by=by.id)
    add_suspension(unit, tenant_id, suspension)
    _record(unit, tenant_id, suspension, EventKind(f"{kind}.suspended"), reason, by)
    return Stored(suspension, reference=suspension.suspension_id)


def _release(tenant_id: str, suspension_id: str, reason: str, by: Decider, unit: Unit) -> Stored[Suspension]:
    found = find_suspension(unit.connection, tenant_id, suspension_id)
    if found is None:
        raise NotFound("There is no suspension with this id.")
    if found.released_at is not None:
        return Stored(found, reference=suspension_id)
    released = found.released(unit.now, by.id, reason)
    end_suspension(unit, tenant_id, released)
    _record(unit, tenant_id, released, EventKind(f"{released.kind}.released"), reason, by)
    return Stored(released, reference=suspension_id)


def _record(unit: Unit, tenant_id: str, suspension: Suspension, kind: EventKind, reason: str, by: Decider) -> None:
    done = str(kind).rpartition(".")[2]
    record_administration(
        unit,
        tenant_id,
        kind,
        reason=f"{suspension.stopped[:1].upper()}{suspension.stopped[1:]} was {done}. {reason}",
        decider=by,
        metadata={
            "suspension_id": suspension.suspension_id,
            "kind": str(suspension.kind),
            "subject": suspension.subject,
            "reason": reason,
        },
    )
    notify(
        unit,
        tenant_id,
        NoticeKind.KILL_SWITCH,
        {
            "action": done,
            "suspension_id": suspension.suspension_id,
            "kind": str(suspension.kind),
            "subject": suspension.subject,
            "stopped": suspension.stopped,
            "reason": reason,
        },
    )

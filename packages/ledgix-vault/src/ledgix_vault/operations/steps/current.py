"""Bringing a clearance up to date: what time alone has decided is written before anybody is answered."""

from __future__ import annotations

from msgspec.structs import replace

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import SYSTEM, Outcome
from ledgix_vault.errors import NotFound
from ledgix_vault.operations.steps.limits import spend
from ledgix_vault.operations.steps.record import record_event, record_move
from ledgix_vault.reviews.review import ReviewStatus
from ledgix_vault.store.clearances import end_review, escalate_review, find_clearance, find_review, settle
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored


def is_due(clearance: Clearance, now: int) -> bool:
    """Whether answering takes a write first: an expiry, or the first hand-out of a reviewed approval."""
    if clearance.decision.outcome is Outcome.PENDING:
        return clearance.review_expires_at is not None and now >= clearance.review_expires_at
    return needs_hand_out(clearance, now)


def needs_hand_out(clearance: Clearance, now: int) -> bool:
    """Whether its token waits for the asker to fetch it."""
    return clearance.usable(now) and clearance.token is not None and not clearance.token.handed_out


def expire_if_due(unit: Unit, clearance: Clearance) -> Clearance:
    """Ends a review whose time is over as *expired*, with its event; otherwise returns the clearance as it is."""
    review = find_review(unit.connection, clearance.tenant_id, clearance.request_id)
    if review is None or review.status is not ReviewStatus.PENDING or unit.now < review.expires_at:
        return clearance
    reason = "Nobody decided in time, so this request expired. It was not denied; ask again if it is still needed."
    end_review(unit, review.ended(ReviewStatus.EXPIRED, now=unit.now, by="", reason=reason))
    expired = replace(
        clearance,
        decision=clearance.decision.settled(
            Outcome.EXPIRED, decider=SYSTEM, reason=reason, reason_code="review_expired"
        ),
    )
    record_move(unit, clearance, expired, EventKind.REVIEW_EXPIRED, SYSTEM)
    return expired


def escalate(unit: Unit, clearance: Clearance) -> None:
    """Notes, once, that a review waits for too long, with its event. Nothing happens to one that is over."""
    review = find_review(unit.connection, clearance.tenant_id, clearance.request_id)
    if review is None or not review.escalates(unit.now) or not escalate_review(unit, review):
        return
    # Whoever must hear of an escalation is told from here: the event and the telling are one transaction.
    record_event(unit, clearance, EventKind.REVIEW_ESCALATED, SYSTEM)


def bring_up_to_date(unit: Unit, tenant_id: str, request_id: str, lifetime: int) -> Stored[Clearance]:
    """The clearance after everything that is due: expired, or its token handed out for `lifetime` seconds."""
    clearance = find_clearance(unit.connection, tenant_id, request_id)
    if clearance is None:
        raise NotFound()
    clearance = expire_if_due(unit, clearance)
    request = clearance.request
    suspension = unit.tenant(tenant_id).suspension_of(request.agent_id, request.tool_name)
    if suspension is not None or not needs_hand_out(clearance, unit.now):
        return Stored(clearance)  # while suspended nothing is handed out, and nothing is lost
    assert clearance.token is not None
    handed_out = replace(clearance, token=clearance.token.issued(unit.now, lifetime))
    if settle(unit, clearance, handed_out):
        spend(unit, handed_out)
        return Stored(handed_out)
    current = find_clearance(unit.connection, tenant_id, request_id)
    assert current is not None
    return Stored(current)

"""Recording: the row and the ledger event of a fact, in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix.formats.events import Event, EventKind, SealedIntent, build_intent, seal_intent
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import Decider
from ledgix_vault.clearance.facts import clearance_event, clearance_intent, shown_by
from ledgix_vault.errors import Conflict
from ledgix_vault.ids import new_id, new_salt
from ledgix_vault.operations.steps.limits import follow, hold
from ledgix_vault.operations.steps.notices import notify_of_event, notify_of_review
from ledgix_vault.reviews.review import Review
from ledgix_vault.store import schema
from ledgix_vault.store.clearances import clearance_row, review_row, settle
from ledgix_vault.store.jobs import JobKind, job_row
from ledgix_vault.store.totals import count
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.times import MICROSECONDS


@dataclass(frozen=True, slots=True)
class Intent:
    """What an event is about, sealed: it can be made before the transaction, since no moment is in it."""

    members: JsonObject
    sealed: SealedIntent


def intent_of(
    clearance: Clearance, kind: EventKind, decider: Decider | None = None, beside: JsonObject | None = None
) -> Intent:
    """The intent of the event that says `kind` of this clearance, with a fresh salt."""
    members = clearance_intent(clearance, kind, salt=new_salt(), decider=decider, beside=beside)
    return Intent(members, seal_intent(members))


def record_new(unit: Unit, clearance: Clearance, intent: Intent, settings: ReviewSettings, read_at: int) -> None:
    """Stores a fresh clearance with its event, and opens its review when a person has to decide. What awaits a judge
    gets a job instead. Its request was read at `read_at` (µs)."""
    unit.insert(schema.clearance, clearance_row(clearance))
    count(unit, clearance, read_at)
    if clearance.decision.needs_person:
        open_review(unit, clearance, settings)
    elif clearance.decision.awaits_judge:
        unit.insert(schema.job, job_row(clearance.tenant_id, JobKind.JUDGE, clearance.request_id, unit.now))
    hold(unit, clearance)
    _append(unit, clearance, intent)


def open_review(unit: Unit, clearance: Clearance, settings: ReviewSettings) -> None:
    """Opens the review of a clearance that a person has to decide, with the jobs that escalate and end it in time."""
    assert clearance.review_expires_at is not None
    review = Review(
        tenant_id=clearance.tenant_id,
        request_id=clearance.request_id,
        tool_name=clearance.request.tool_name,
        opened_at=unit.now,
        expires_at=clearance.review_expires_at,
        quorum=settings.approvals_needed,
        quorum_roles=settings.quorum_roles,
    )
    unit.insert(schema.review, review_row(review))
    unit.insert(
        schema.job, job_row(clearance.tenant_id, JobKind.EXPIRE_REVIEW, clearance.request_id, review.expires_at)
    )
    escalates_at = unit.now + settings.escalation_seconds * MICROSECONDS
    if unit.now < escalates_at < review.expires_at:
        unit.insert(
            schema.job, job_row(clearance.tenant_id, JobKind.ESCALATE_REVIEW, clearance.request_id, escalates_at)
        )
    notify_of_review(unit, clearance)


def record_move(unit: Unit, before: Clearance, after: Clearance, kind: EventKind, decider: Decider) -> None:
    """Stores a clearance's next state with its event; raises `Conflict` when somebody else moved it first."""
    if not settle(unit, before, after):
        raise Conflict("Somebody else settled this request a moment ago; look again.", code="settled_meanwhile")
    follow(unit, before, after)
    record_event(unit, after, kind, decider)


def record_event(
    unit: Unit,
    clearance: Clearance,
    kind: EventKind,
    decider: Decider | None = None,
    beside: JsonObject | None = None,
) -> None:
    """Appends the event that says `kind` of this clearance to the tenant's log; `beside` joins its metadata."""
    _append(unit, clearance, intent_of(clearance, kind, decider, beside))
    notify_of_event(unit, clearance, kind)


def _append(unit: Unit, clearance: Clearance, intent: Intent) -> None:
    event = clearance_event(clearance, intent.members, event_uuid=new_id(), accepted_at=unit.accepted_at)
    unit.append(clearance.tenant_id, event, intent.sealed)


def record_administration(
    unit: Unit, tenant_id: str, kind: EventKind, *, reason: str, decider: Decider, metadata: JsonObject
) -> None:
    """Appends an administrative event: something about the tenant itself was changed."""
    intent = build_intent(
        salt=new_salt(),
        tenant=tenant_id,
        kind=kind,
        request_id=new_id(),
        action_category=str(kind),
        action_metadata=metadata | shown_by(decider),
        decider_type=str(decider.type),
        decider_id=decider.id,
    )
    unit.append(
        tenant_id,
        Event(
            event_uuid=new_id(),
            accepted_at=unit.accepted_at,
            reason=reason,
            citations=[],
            evidence_chunks=[],
            intent=intent,
        ),
    )

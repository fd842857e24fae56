"""What a clearance puts into the ledger."""

from __future__ import annotations

from ledgix.formats.events import Event, EventKind, build_intent
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import Decider

NAMED_BY_POLICY = frozenset(
    {
        EventKind.CLEARANCE_DECIDED,
        EventKind.REVIEW_DECIDED,
        EventKind.REVIEW_EXPIRED,
        EventKind.REVIEW_CANCELLED_BY_AGENT,
    }
)
"""Kinds whose `action_category` a policy may name; for all others it is the kind."""


DECIDING = NAMED_BY_POLICY | {EventKind.TOKEN_MINTED}
"""Kinds that record a decision with its findings about limits."""

AFTER_OUTCOME = "after_outcome"
"""In the metadata of what was decided anew because its original's outcome was reported so: always `unknown`."""


def clearance_intent(
    clearance: Clearance,
    kind: EventKind,
    *,
    salt: str,
    decider: Decider | None = None,
    beside: JsonObject | None = None,
) -> JsonObject:
    """The intent of the event that says `kind` of this clearance. Until its token is consumed, no moment is in it.
    `beside` joins the metadata."""
    decision = clearance.decision
    actor = decider or decision.decider
    return build_intent(
        salt=salt,
        tenant=clearance.tenant_id,
        kind=kind,
        request_id=clearance.request_id,
        original_request_id=clearance.original_request_id,
        request=clearance.request.to_json(),
        decision=decision.for_ledger(),
        action_category=decision.action_category if kind in NAMED_BY_POLICY else str(kind),
        action_metadata=_beside(clearance, kind) | shown_by(actor) | (beside or {}),
        decider_type=str(actor.type),
        decider_id=actor.id,
    )


def shown_by(actor: Decider) -> JsonObject:
    """How a person who acted had shown who they are, and in which role they acted, for the metadata of the event;
    nothing for everybody else."""
    shown: JsonObject = {"assurance": actor.assurance} if actor.assurance else {}
    return shown | {"acted_as": actor.role} if actor.role else shown


def clearance_event(clearance: Clearance, intent: JsonObject, *, event_uuid: str, accepted_at: str) -> Event:
    """The event with this intent about a clearance, as it now stands."""
    return Event(
        event_uuid=event_uuid,
        accepted_at=accepted_at,
        reason=clearance.decision.reason,
        citations=list(clearance.decision.citations),
        evidence_chunks=[],
        intent=intent,
    )


def _beside(clearance: Clearance, kind: EventKind) -> JsonObject:
    """What stands beside request and decision: whose request it is, and what is fixed of its one token. In the ledger,
    so that a row changed afterwards, to hand the token to another key or to let it live longer, is found."""
    beside: JsonObject = {"asked_by": clearance.key_lineage, "depth": clearance.depth}
    if (token := clearance.token) is not None:
        facts: JsonObject = {"jti": token.jti, "kid": token.kid}
        if kind is EventKind.TOKEN_CONSUMED:
            facts |= {"iat": token.issued_at, "exp": token.expires_at}
        elif token.pick_up_until is None and token.issued_at is not None and token.expires_at is not None:
            facts["lifetime"] = token.expires_at - token.issued_at  # issued in the second of the event's `accepted_at`
        beside["token"] = facts
    if kind in DECIDING and clearance.decision.limits:
        beside["limits"] = [finding.to_json() for finding in clearance.decision.limits]
    if clearance.decision.shadow:
        beside["shadow"] = list(clearance.decision.shadow)
    if clearance.decision.judgement is not None and kind in NAMED_BY_POLICY:
        beside["judgement"] = clearance.decision.judgement
    return beside

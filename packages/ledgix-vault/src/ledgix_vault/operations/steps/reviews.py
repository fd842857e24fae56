"""A review as lists and pages tell it."""

from __future__ import annotations

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.reviews.review import Review
from ledgix_vault.times import rfc3339


def review_item(clearance: Clearance, review: Review, now: int) -> JsonObject:
    """What a reviewer has to know: the call, why it waits, and how the review stands."""
    request, decision = clearance.request, clearance.decision
    return {
        "request_id": clearance.request_id,
        "requested_at": rfc3339(clearance.requested_at),
        "tool_name": request.tool_name,
        "tool_args": request.tool_args,
        "effective_args": decision.effective_args,
        "agent_id": request.agent_id,
        "session_id": request.session_id,
        "human_principal": request.human_principal,
        "destination_provider": request.destination_provider,
        "destination_account_ref": request.destination_account_ref,
        "facts": request.facts,
        "accepts": list(request.accepts),
        "outcome": str(decision.outcome),
        "reason": decision.reason,
        "reason_code": decision.reason_code,
        "confidence_bucket": str(decision.confidence_bucket),
        "policy_id": decision.policy_id,
        "citations": list(decision.citations),
        "assumptions": list(decision.assumptions),
        "trace": list(decision.trace),
        "limits": [finding.to_json() for finding in decision.limits],
        "judgement": decision.judgement,
        **review.summary(now),
    }

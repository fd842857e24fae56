"""How a request is shown to whoever looks at it: in full, or without what was asked in particular and why."""

from __future__ import annotations

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import Outcome
from ledgix_vault.times import MICROSECONDS, rfc3339


def row_of(clearance: Clearance, *, full: bool) -> JsonObject:
    """One line of a list. The redacted view has the same members: "" and {} for what it keeps back, as in entries."""
    request, decision = clearance.request, clearance.decision
    return {
        "request_id": clearance.request_id,
        "requested_at": rfc3339(clearance.requested_at),
        "tool_name": request.tool_name,
        "agent_id": request.agent_id,
        "outcome": str(decision.outcome),
        "reason_code": decision.reason_code or "",
        "decided_by": str(decision.decider.type),
        "confidence_bucket": str(decision.confidence_bucket),
        "policy_id": decision.policy_id or "",
        "policy_version_id": decision.policy_version_id or "",
        "original_request_id": clearance.original_request_id or "",
        "tool_args": clearance.effective_args if full else {},
        "session_id": request.session_id if full else "",
        "human_principal": (request.human_principal or "") if full else "",
        "reason": decision.reason if full else "",
    }


def token_of(clearance: Clearance, now: int) -> JsonObject:
    """What became of the one token of an approval; never the token itself."""
    token = clearance.token
    if token is None:
        return {"state": "none"}
    if token.consumed_at is not None:
        state = "used"
    elif clearance.decision.outcome is not Outcome.APPROVED:
        state = "void"
    elif token.lapsed(now):
        state = "lapsed"
    else:
        state = "handed_out" if token.handed_out else "waiting"
    times = {
        "issued_at": None if token.issued_at is None else token.issued_at * MICROSECONDS,
        "expires_at": None if token.expires_at is None else token.expires_at * MICROSECONDS,
        "fetch_until": token.pick_up_until,
        "consumed_at": token.consumed_at,
    }
    return {
        "state": state,
        "jti": token.jti,
        **{name: rfc3339(at) for name, at in times.items() if at is not None},
    }

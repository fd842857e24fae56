"""The columns by which a request is found, out of what was asked and decided."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.ids import is_id

LONGEST_NAME = 256
"""Characters of a name by which it is found: an index takes no text of any length."""


@dataclass(frozen=True, slots=True)
class FoundBy:
    """The columns by which a request is found."""

    tool_name: str
    agent_id: str
    parent_jti: str | None
    policy_id: str
    reason_code: str
    decided_by: str


def found_by(clearance: Clearance) -> FoundBy:
    """Those of this request, as it stands."""
    request, decision = clearance.request, clearance.decision
    return FoundBy(
        tool_name=searchable(request.tool_name),
        agent_id=searchable(request.agent_id),
        parent_jti=request.parent_jti if request.parent_jti and is_id(request.parent_jti) else None,
        policy_id=searchable(decision.policy_id or ""),
        reason_code=decision.reason_code or "",
        decided_by=decision.decider.type.value,
    )


def searchable(name: str) -> str:
    """A name as it is compared: bounded, and without the NUL that PostgreSQL's text can't have."""
    return name[:LONGEST_NAME].replace("\0", "\ufffd")

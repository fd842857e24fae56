"""How people decided calls like this one before."""

from __future__ import annotations

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.errors import NotFound
from ledgix_vault.operations.steps.reviews import names_of
from ledgix_vault.reviews.review import Review
from ledgix_vault.store.clearances import decided_reviews_of_tool, find_clearance
from ledgix_vault.store.engine import Connection
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import rfc3339
from ledgix_vault.vault import Vault

MOST_SHOWN = 5
MOST_LOOKED_AT = 50
"""Of the newest approvals and of the newest denials."""


async def similar_decisions(vault: Vault, caller: Caller, request_id: str) -> list[JsonObject]:
    """Up to five decided reviews of the same tool: those of the same policy, rules and agent first, then the newest."""
    caller.require(Scope.REVIEW)
    state = vault.store.tenant(caller.tenant_id)

    def read(connection: Connection) -> list[JsonObject]:
        asked = find_clearance(connection, caller.tenant_id, request_id)
        if asked is None:
            raise NotFound("There is no request with this id.")
        tool_name = asked.request.tool_name
        found = decided_reviews_of_tool(connection, caller.tenant_id, tool_name, limit=MOST_LOOKED_AT)
        others = [each for each in found if each[0].request_id != request_id]
        others.sort(key=lambda each: (_likeness(asked, each[0]), each[1].decided_at or 0), reverse=True)
        names = names_of(connection, state)
        return [_shown(clearance, review, names) for clearance, review in others[:MOST_SHOWN]]

    return await vault.store.read(read)


def _likeness(asked: Clearance, other: Clearance) -> int:
    rules = set(asked.decision.matched_rule_ids) & set(other.decision.matched_rule_ids)
    same_policy = asked.decision.policy_id == other.decision.policy_id
    same_agent = asked.request.agent_id == other.request.agent_id
    return 4 * same_policy + 2 * (same_policy and bool(rules)) + same_agent


def _shown(clearance: Clearance, review: Review, names: dict[str, str]) -> JsonObject:
    decided_at, by = review.decided_at, review.decided_by or ""
    rules: list[Json] = list(clearance.decision.matched_rule_ids)
    return {
        "request_id": clearance.request_id,
        "tool_args": clearance.request.tool_args,
        "effective_args": clearance.decision.effective_args,
        "agent_id": clearance.request.agent_id,
        "policy_id": clearance.decision.policy_id,
        "matched_rule_ids": rules,
        "review_status": str(review.status),
        "decided_at": rfc3339(decided_at) if decided_at is not None else None,
        "decided_by": by,
        "decided_by_name": names.get(by, by),
        "review_reason": review.review_reason,
    }

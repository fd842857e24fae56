"""A review as lists and pages tell it: with names, and with what the caller may do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.reviews.review import Parties, Review
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.people import list_members
from ledgix_vault.store.policies import editors_of
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.state import TenantState
from ledgix_vault.times import rfc3339

COMMAND_LINE = "the command line"


def names_of(connection: Connection, state: TenantState) -> dict[str, str]:
    """Id → name of every member and every API key of the tenant, revoked ones too; "" is the command line. Who was
    removed isn't in it: their id is all that is left to show."""
    return (
        {"": COMMAND_LINE}
        | {key.key_id: f"API key “{key.name}”" for key in state.keys}
        | {member.person_id: member.shown for member in list_members(connection, state.tenant_id)}
    )


def parties_of(connection: Connection, state: TenantState, clearances: Iterable[Clearance]) -> dict[str, Parties]:
    """Who has an interest in each of these calls, by request id; who edited policies only where the tenant asks."""
    found = list(clearances)
    editors = {}
    if state.settings.reviewer_not_policy_editor:
        lineages = {key.key_id: key.lineage for key in state.keys}
        deciding = {_deciding(each) for each in found if each.decision.policy_id}
        editors = editors_of(connection, state.tenant_id, deciding, lineages)
    return {
        each.request_id: Parties(
            each.key_lineage, each.request.human_principal or "", editors.get(_deciding(each), frozenset())
        )
        for each in found
    }


def _deciding(clearance: Clearance) -> tuple[str, str]:
    return clearance.decision.policy_id or "", clearance.decision.policy_version_id or ""


def review_items(
    connection: Connection, caller: Caller, state: TenantState, found: Sequence[tuple[Clearance, Review]], now: int
) -> list[JsonObject]:
    """What a reviewer has to know of each: the call, why it waits, how the review stands, and what they may do."""
    names = names_of(connection, state)
    parties = parties_of(connection, state, (clearance for clearance, _ in found))
    items = []
    for clearance, review in found:
        objection = review.objection(caller, parties[clearance.request_id], state.settings, now)
        may: JsonObject = {
            "can_approve": objection is None,
            "why_not": objection.detail if objection else None,
            "why_not_code": objection.code if objection else None,
        }
        items.append(_item(clearance) | review.summary(now, names) | may)
    return items


def _item(clearance: Clearance) -> JsonObject:
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
    }

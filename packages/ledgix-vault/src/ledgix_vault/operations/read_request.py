"""One request with all that is known of it: decision, review, token, its entries in the ledger, its relatives."""

from __future__ import annotations

from typing import Any

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.facts import AFTER_OUTCOME
from ledgix_vault.clearance.reports import Report, Reported
from ledgix_vault.clearance.retries import Retry, retry_until
from ledgix_vault.errors import NotFound
from ledgix_vault.operations.steps.clauses import clauses_of
from ledgix_vault.operations.steps.requests import row_of, token_of
from ledgix_vault.operations.steps.retries import look_at_retry
from ledgix_vault.reviews.review import Review
from ledgix_vault.store.clearances import find_clearance, find_clearance_by_jti, find_review
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.logs import entries_of_request
from ledgix_vault.store.people import names_of
from ledgix_vault.store.reports import find_report
from ledgix_vault.store.requests import children_of, mints_of
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import rfc3339
from ledgix_vault.vault import Vault

MOST_ENTRIES = 100
MOST_RELATIVES = 50


async def read_request(vault: Vault, caller: Caller, request_id: str) -> JsonObject:
    """The tenant's request with this id as it stands; `NotFound` for every other. Without `ledger.full` nothing is
    shown of what was asked in particular, nor why it was decided so, nor by whom."""
    caller.require_any(Scope.LEDGER, Scope.LEDGER_FULL)
    full, now = caller.allows(Scope.LEDGER_FULL), vault.clock()
    published = vault.store.published(caller.tenant_id)
    key_names = {key.key_id: key.name for key in vault.store.tenant(caller.tenant_id).keys}

    def read(connection: Connection) -> JsonObject:
        clearance = find_clearance(connection, caller.tenant_id, request_id)
        if clearance is None:
            raise NotFound("There is no request with this id.")
        review = find_review(connection, caller.tenant_id, request_id)
        report = find_report(connection, caller.tenant_id, request_id)
        entries = entries_of_request(
            connection,
            caller.tenant_id,
            request_id,
            most=MOST_ENTRIES,
            published=published.checkpoint.checkpoint_id if published else 0,
        )
        names = key_names | names_of(connection, caller.tenant_id, _people(entries, review)) if full else {}
        timeline = [_step(entry, names, full=full) for entry in entries]
        return {
            **row_of(clearance, full=full),
            "redacted": not full,
            "request": clearance.request.to_json() if full else {},
            "decision": _decision(connection, clearance, names) if full else {},
            "token": token_of(clearance, now),
            "review": None if review is None else _review(review, now, names, full=full),
            "reported": None if report is None else _reported(report, timeline, full=full),
            "retry": _retry(vault, connection, clearance, report),
            "timeline": [*timeline],
            "related": _related(connection, clearance),
        }

    return await vault.store.read(read)


def _decision(connection: Connection, clearance: Clearance, names: dict[str, str]) -> JsonObject:
    decision = clearance.decision
    return {
        **decision.for_ledger(),
        "reason": decision.reason,
        "action_category": decision.action_category,
        "citations": list(decision.citations),
        "clauses": clauses_of(connection, clearance.tenant_id, decision.citations),
        "trace": list(decision.trace),
        "limits": [finding.to_json() for finding in decision.limits],
        "shadow": list(decision.shadow),
        "judgement": decision.judgement,
        "decider": _actor({"type": str(decision.decider.type), "id": decision.decider.id}, names),
    }


def _review(review: Review, now: int, names: dict[str, str], *, full: bool) -> JsonObject:
    summary = review.summary(now, names)
    if not full:
        return summary | {"decided_by": None, "review_reason": "", "approved_by": [], "second_requests": []}
    return summary | {"decided_by_name": names.get(review.decided_by or "", review.decided_by or "")}


def _reported(report: Report, timeline: list[JsonObject], *, full: bool) -> JsonObject:
    by = [step["decider"] for step in timeline if step["kind"] == EventKind.OUTCOME_REPORTED]
    return {
        "outcome": str(report.outcome),
        "reported_at": rfc3339(report.reported_at),
        "detail": report.detail if full else "",
        "reported_by": by[0] if by else {},
    }


def _retry(vault: Vault, connection: Connection, clearance: Clearance, report: Report | None) -> JsonObject | None:
    """What may be done about an unknown outcome; None for every other request."""
    if report is None or report.outcome is not Reported.UNKNOWN:
        return None
    snapshot, window = vault.store.tenant(clearance.tenant_id).snapshot, vault.settings.mint_window
    state = look_at_retry(connection, snapshot, clearance, report, now=vault.clock(), window=window)
    return {
        "state": str(state),
        "until": rfc3339(retry_until(report, window)) if state is Retry.POSSIBLE else None,
        "request_id": report.retried_as or "",
    }


def _step(entry: JsonObject, names: dict[str, str], *, full: bool) -> JsonObject:
    """An entry as a step of the timeline, with its place in the ledger."""
    step: JsonObject = {
        name: entry[name]
        for name in ("event_uuid", "kind", "accepted_at", "seq", "checkpoint_id", "event_hash", "leaf_hash")
    }
    if not full:
        return step | {"decider": {}, "reason": "", "outcome": "", "after_outcome": ""}
    intent: Any = entry["intent"]
    beside: Any = entry["action_metadata"]
    decision = intent["decision"] or {}
    reported = entry["kind"] == EventKind.OUTCOME_REPORTED
    return step | {
        "decider": _actor(intent["decider"], names),
        "reason": beside["detail"] if reported else entry["reason"],
        "outcome": beside["outcome"] if reported else decision.get("outcome") or "",
        "after_outcome": beside.get(AFTER_OUTCOME, ""),
    }


def _actor(decider: JsonObject, names: dict[str, str]) -> JsonObject:
    return {"type": decider["type"], "id": decider["id"], "name": names.get(str(decider["id"]), "")}


def _people(entries: list[JsonObject], review: Review | None) -> list[str]:
    intents: list[Any] = [entry["intent"] for entry in entries]
    found = {str(intent["decider"]["id"]) for intent in intents}
    if review is not None:
        found |= {*review.voters, review.decided_by or ""}
    return sorted(found - {""})


def _related(connection: Connection, clearance: Clearance) -> JsonObject:
    """Where it came from, and what came out of it."""
    tenant_id, parent_jti = clearance.tenant_id, clearance.request.parent_jti
    parent = find_clearance_by_jti(connection, tenant_id, parent_jti) if parent_jti else None
    children = children_of(connection, tenant_id, clearance.token.jti, MOST_RELATIVES) if clearance.token else []
    return {
        "minted_from": clearance.original_request_id or "",
        "mints": [*mints_of(connection, tenant_id, clearance.request_id, MOST_RELATIVES)],
        "parent": parent.request_id if parent is not None else "",
        "children": [*children],
    }

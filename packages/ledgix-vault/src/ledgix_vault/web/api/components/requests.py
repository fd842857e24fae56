"""Looking at requests: lists, one of them, and figures."""

from __future__ import annotations

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import DeciderType, Outcome
from ledgix_vault.clearance.overview import Range
from ledgix_vault.clearance.reports import Reported
from ledgix_vault.clearance.retries import Retry
from ledgix_vault.reviews.review import ReviewStatus
from ledgix_vault.web.api.components.terms import (
    BOOLEAN,
    BUCKET,
    HASH,
    INTEGER,
    MOMENT,
    OBJECT,
    STRING,
    TEXT_OR_NULL,
    UUID,
    Schema,
    a_list,
    an_object,
    one_of,
    or_null,
    ref,
)

_PROTECTED = {"description": "Empty without the scope ledger.full"}
_ROW: dict[str, Schema] = {
    "request_id": UUID,
    "requested_at": MOMENT,
    "tool_name": STRING,
    "agent_id": STRING,
    "outcome": one_of(*Outcome),
    "reason_code": STRING,
    "decided_by": one_of(*DeciderType),
    "confidence_bucket": BUCKET,
    "policy_id": STRING,
    "policy_version_id": STRING,
    "original_request_id": {**STRING, "description": "The request that this one was minted from"},
    "tool_args": {**OBJECT, "description": "The arguments that may run. Empty without the scope ledger.full"},
    "session_id": STRING | _PROTECTED,
    "human_principal": STRING | _PROTECTED,
    "reason": STRING | _PROTECTED,
}
_BY_OUTCOME = {str(outcome): INTEGER for outcome in Outcome}
_WITHIN = {**or_null(INTEGER), "description": "Null when nothing was measured, and beyond 19 hours"}
_TIMES: dict[str, Schema] = {"measured": INTEGER, "median_within_ms": _WITHIN, "p95_within_ms": _WITHIN}
_ACTOR = {**OBJECT, **_PROTECTED}

SHAPES: dict[str, Schema] = {
    "RequestItem": an_object(_ROW),
    "RequestPage": an_object(
        {
            "requests": a_list(ref("RequestItem")),
            "next_cursor": STRING,
            "searched_to": {**STRING, "description": "How far back this page looked; empty when nothing is left"},
        }
    ),
    "RequestDetail": an_object(
        {
            **_ROW,
            "redacted": BOOLEAN,
            "request": {**OBJECT, "description": "Everything that was asked. Empty without the scope ledger.full"},
            "decision": {**OBJECT, "description": "With trace, citations and limits. Empty without ledger.full"},
            "token": ref("TokenState"),
            "review": or_null(
                an_object(
                    {
                        "review_status": one_of(*ReviewStatus),
                        "opened_at": MOMENT,
                        "expires_at": MOMENT,
                        "quorum": INTEGER,
                        "approvals": INTEGER,
                        "decided_at": or_null(MOMENT),
                        "decided_by": TEXT_OR_NULL,
                        "review_reason": STRING,
                    },
                    {"approved_by": a_list(OBJECT), "second_requests": a_list(OBJECT), "decided_by_name": STRING},
                )
            ),
            "reported": or_null(
                an_object(
                    {
                        "outcome": one_of(*Reported),
                        "reported_at": MOMENT,
                        "detail": STRING | _PROTECTED,
                        "reported_by": _ACTOR,
                    }
                )
            ),
            "retry": {
                **or_null(
                    an_object(
                        {
                            "state": one_of(*Retry),
                            "until": or_null(MOMENT),
                            "request_id": {**STRING, "description": "The retry, where there was one"},
                        }
                    )
                ),
                "description": "Of a call whose outcome is unknown: the one mint that its policy may allow",
            },
            "timeline": a_list(ref("RequestStep")),
            "related": an_object(
                {"minted_from": STRING, "mints": a_list(UUID), "parent": STRING, "children": a_list(UUID)}
            ),
        }
    ),
    "TokenState": an_object(
        {
            "state": {
                **one_of("none", "waiting", "handed_out", "used", "lapsed", "void"),
                "description": "waiting: approved after a review and not fetched yet; void: the approval was cancelled",
            }
        },
        {"jti": STRING, "issued_at": MOMENT, "expires_at": MOMENT, "fetch_until": MOMENT, "consumed_at": MOMENT},
    ),
    "RequestStep": an_object(
        {
            "event_uuid": UUID,
            "kind": one_of(*EventKind),
            "accepted_at": MOMENT,
            "seq": INTEGER,
            "checkpoint_id": or_null(INTEGER),
            "event_hash": HASH,
            "leaf_hash": HASH,
            "decider": _ACTOR,
            "reason": STRING | _PROTECTED,
            "outcome": STRING | _PROTECTED,
            "after_outcome": {**STRING, "description": "unknown: decided anew since another call's outcome is"},
        }
    ),
    "Overview": an_object(
        {
            "range": one_of(*Range),
            "since": MOMENT,
            "step_seconds": INTEGER,
            "requests": INTEGER,
            "outcomes": an_object(_BY_OUTCOME),
            "steps": a_list(an_object({"at": MOMENT, **_BY_OUTCOME})),
            "decided": {**INTEGER, "description": "Approved, denied or expired"},
            "decided_without_a_person": INTEGER,
            "decision_times": an_object({"rules": ref("DecisionTimes"), "judge": ref("DecisionTimes")}),
            "reviews": an_object(
                {
                    "waiting": {**INTEGER, "description": "Of the oldest 1000"},
                    "oldest_opened_at": or_null(MOMENT),
                    "decided": {**INTEGER, "description": "Of which the waits are known: the newest 5000 at most"},
                    "median_seconds": or_null(INTEGER),
                    "p90_seconds": or_null(INTEGER),
                }
            ),
            "tools": a_list(ref("Requested")),
            "agents": a_list(ref("Requested")),
            "budgets": a_list(ref("LimitUse")),
        }
    ),
    "DecisionTimes": {
        **an_object({**_TIMES, "steps": a_list(an_object({"at": MOMENT, **_TIMES}))}),
        "description": "From reading a request (for a judge: from storing it) to writing the decision, before COMMIT",
    },
    "Requested": an_object({"name": STRING, "requests": INTEGER, "outcomes": an_object(_BY_OUTCOME)}),
}

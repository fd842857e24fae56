"""Asking, minting, consuming, and what became of a call."""

from __future__ import annotations

from ledgix_vault.clearance.decision import Outcome
from ledgix_vault.clearance.reports import Reported
from ledgix_vault.limits.findings import Result
from ledgix_vault.web.api.components.terms import (
    BOOLEAN,
    BUCKET,
    EFFECT,
    HASH,
    INTEGER,
    MOMENT,
    OBJECT,
    REQUEST_FIELDS,
    STRING,
    TEXT_OR_NULL,
    TOOL_NAME,
    UUID,
    Schema,
    a_list,
    an_object,
    one_of,
    or_null,
    ref,
)

SHAPES: dict[str, Schema] = {
    "Problem": an_object(
        {"type": STRING, "title": STRING, "status": INTEGER, "detail": STRING, "code": STRING},
        {"path": STRING, "scope": STRING, "request_id": STRING, "problems": a_list(OBJECT)},
    ),
    "ClearanceRequest": an_object({"tool_name": TOOL_NAME}, REQUEST_FIELDS),
    "Clearance": an_object(
        {
            "status": one_of("processing", "approved", "denied", "pending_review"),
            "decision_status": one_of("approved", "denied", "approved_pending_review"),
            "requires_manual_review": BOOLEAN,
            "token": TEXT_OR_NULL,
            "reason": STRING,
            "reason_code": TEXT_OR_NULL,
            "request_id": UUID,
            "confidence_bucket": BUCKET,
            "minimum_confidence_bucket": BUCKET,
            "policy_version_id": or_null(UUID),
            "policy_content_hash": or_null(HASH),
            "outcome": one_of(*Outcome),
            "decided_policy_version_id": or_null(UUID),
            "effective_args": or_null(OBJECT),
            "citations": a_list(ref("Citation")),
            "expires_at": or_null(MOMENT),
            "limits": a_list(ref("LimitFinding")),
        }
    ),
    "LimitFinding": an_object(
        {
            "policy_id": STRING,
            "limit_id": STRING,
            "result": one_of(*Result),
            "effect": EFFECT,
            "window": STRING,
            "maximum": STRING,
        },
        {
            "unit": {**STRING, "description": "`calls`, a currency, or absent for plain numbers"},
            "per": {**OBJECT, "description": "Whose budget it is: the shared values"},
            "used": STRING,
            "asked": STRING,
            "remaining": STRING,
            "frees_at": MOMENT,
            "why": STRING,
            "budget": HASH,
        },
    ),
    "OutcomeReport": an_object(
        {"outcome": one_of(*Reported)},
        {
            "request_id": {"type": "string", "minLength": 1, "maxLength": 64, "description": "This, or jti"},
            "jti": {"type": "string", "minLength": 1, "maxLength": 64},
            "detail": {"type": "string", "maxLength": 2000},
        },
    ),
    "Outcome": an_object(
        {"request_id": UUID, "jti": STRING, "outcome": one_of(*Reported), "detail": STRING, "reported_at": MOMENT}
    ),
    "OutcomeReports": an_object({"reports": {**a_list(ref("OutcomeReport")), "minItems": 1, "maxItems": 100}}),
    "OutcomeList": an_object(
        {"results": a_list(an_object({}, {"recorded": ref("Outcome"), "problem": ref("Problem")}))}
    ),
    "LimitList": an_object({"limits": a_list(ref("LimitUse"))}),
    "LimitUse": an_object(
        {
            "policy_id": STRING,
            "limit_id": STRING,
            "effect": EFFECT,
            "window": STRING,
            "maximum": STRING,
            "unit": STRING,
            "per": a_list(STRING),
            "budgets": a_list(an_object({"per": OBJECT, "used": STRING, "remaining": STRING})),
            "total_budgets": INTEGER,
        },
        {"next_period_at": MOMENT},
    ),
    "Citation": an_object(
        {
            "policy_id": STRING,
            "policy_version_id": STRING,
            "document": STRING,
            "section": STRING,
            "quote": STRING,
            "rule_id": STRING,
        },
        {"page": INTEGER},
    ),
    "MintRequest": an_object(
        {"tool_name": TOOL_NAME, "original_request_id": {"type": "string", "minLength": 1, "maxLength": 64}},
        REQUEST_FIELDS
        | dict.fromkeys(("policy_id", "policy_version_id", "policy_content_hash"), TEXT_OR_NULL)
        | {"confidence_bucket": TEXT_OR_NULL, "reason": TEXT_OR_NULL},
    ),
    "Minted": an_object({"token": TEXT_OR_NULL, "reason": STRING, "request_id": UUID}),
    "ConsumeRequest": an_object(
        {"token": {"type": "string", "minLength": 1, "maxLength": 16384}},
        {"tool_name": TEXT_OR_NULL, "tool_args": or_null(OBJECT)},
    ),
    "Consumed": an_object({"status": one_of("consumed"), "jti": STRING, "request_id": UUID, "claims": ref("Claims")}),
    "Claims": an_object(
        {
            **dict.fromkeys(("iss", "aud", "jti", "tool", "agent_id", "session_id", "policy_id", "tenant"), STRING),
            "sub": one_of("clearance"),
            "decision": one_of("approved"),
            "iat": INTEGER,
            "exp": INTEGER,
            "request_id": UUID,
            "policy_version_id": STRING,
            "tool_args_hash": HASH,
        },
        {"human_principal": STRING, "parent_jti": STRING},
    ),
}

"""Reviews and what a tenant sets."""

from __future__ import annotations

from ledgix_vault.clearance.decision import Outcome
from ledgix_vault.operations.decide_reviews import MOST_AT_ONCE
from ledgix_vault.reviews.review import ReviewStatus
from ledgix_vault.tenancy.judge_settings import Provider
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.settings import REVIEWING_ROLES, ReasonRequired
from ledgix_vault.tenancy.suspensions import SuspensionKind
from ledgix_vault.web.api.components.terms import (
    BOOLEAN,
    BUCKET,
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

SHAPES: dict[str, Schema] = {
    "ReviewItem": an_object(
        {
            "request_id": UUID,
            "requested_at": MOMENT,
            "tool_name": STRING,
            "tool_args": OBJECT,
            "effective_args": or_null(OBJECT),
            "agent_id": STRING,
            "session_id": STRING,
            "human_principal": TEXT_OR_NULL,
            "destination_provider": TEXT_OR_NULL,
            "destination_account_ref": TEXT_OR_NULL,
            "facts": OBJECT,
            "accepts": a_list(STRING),
            "outcome": one_of(*Outcome),
            "reason": STRING,
            "reason_code": TEXT_OR_NULL,
            "confidence_bucket": BUCKET,
            "policy_id": TEXT_OR_NULL,
            "citations": a_list(ref("Citation")),
            "assumptions": a_list(STRING),
            "trace": a_list(OBJECT),
            "limits": a_list(ref("LimitFinding")),
            "judgement": or_null(OBJECT),
            "review_status": one_of(*ReviewStatus),
            "opened_at": MOMENT,
            "expires_at": MOMENT,
            "escalated_at": or_null(MOMENT),
            "quorum": INTEGER,
            "quorum_roles": a_list(STRING),
            "missing_roles": a_list(STRING),
            "approvals": INTEGER,
            "approved_by": a_list(
                an_object(
                    {
                        "id": STRING,
                        "name": STRING,
                        "role": TEXT_OR_NULL,
                        "review_reason": STRING,
                        "approved_at": MOMENT,
                    }
                )
            ),
            "second_requests": a_list(
                an_object({"id": STRING, "name": STRING, "review_reason": STRING, "asked_at": MOMENT})
            ),
            "decided_at": or_null(MOMENT),
            "decided_by": TEXT_OR_NULL,
            "decided_by_name": TEXT_OR_NULL,
            "review_reason": STRING,
            "can_approve": BOOLEAN,
            "why_not": TEXT_OR_NULL,
            "why_not_code": TEXT_OR_NULL,
        }
    ),
    "ReviewPage": an_object({"reviews": a_list(ref("ReviewItem")), "next_cursor": STRING}),
    "ReviewCounts": an_object({"waiting": INTEGER, "escalated": INTEGER, "counted_up_to": INTEGER}),
    "SecondReviewer": an_object({}, {"review_reason": {"type": "string", "maxLength": 4000}}),
    "ReviewDecisions": an_object(
        {"request_ids": {**a_list(STRING), "minItems": 1, "maxItems": MOST_AT_ONCE}, "approved": BOOLEAN},
        {"review_reason": {"type": "string", "maxLength": 4000}},
    ),
    "ReviewsDecided": an_object(
        {
            "results": a_list(
                an_object(
                    {"request_id": STRING},
                    {
                        "status": {**STRING, "description": "As in the clearance answer; left out when refused"},
                        "outcome": one_of(*Outcome),
                        "code": {**STRING, "description": "Why it was refused"},
                        "detail": STRING,
                    },
                )
            )
        }
    ),
    "SimilarDecisions": an_object(
        {
            "decisions": a_list(
                an_object(
                    {
                        "request_id": UUID,
                        "tool_args": OBJECT,
                        "effective_args": or_null(OBJECT),
                        "agent_id": STRING,
                        "policy_id": TEXT_OR_NULL,
                        "matched_rule_ids": a_list(STRING),
                        "review_status": one_of(ReviewStatus.APPROVED, ReviewStatus.DENIED),
                        "decided_at": or_null(MOMENT),
                        "decided_by": STRING,
                        "decided_by_name": STRING,
                        "review_reason": STRING,
                    }
                )
            )
        }
    ),
    "ReviewDecision": an_object(
        {"approved": BOOLEAN},
        {"review_reason": {"type": "string", "maxLength": 4000}, "effective_args": or_null(OBJECT)},
    ),
    "ReviewSettings": an_object(
        {},
        {
            "minimum_confidence_bucket": BUCKET,
            "review_expiry_seconds": {"type": "integer", "minimum": 1, "maximum": 30 * 24 * 3600},
            "quorum": {"type": "integer", "minimum": 1, "maximum": 10},
            "separation_of_duties": BOOLEAN,
            "default_verdict": one_of("review", "deny"),
            "two_person_activation": BOOLEAN,
            "reviewer_not_policy_editor": BOOLEAN,
            "quorum_roles": a_list(one_of(*REVIEWING_ROLES)),
            "reason_required": one_of(*ReasonRequired),
            "escalation_seconds": {"type": "integer", "minimum": 0, "maximum": 30 * 24 * 3600},
            "require_second_factor": {**BOOLEAN, "description": "Of members who sign in with a password"},
        },
    ),
    "ThresholdPreview": an_object(
        {
            "since": MOMENT,
            "complete": {**BOOLEAN, "description": "Whether all decisions since then were counted, or the newest only"},
            "decided": INTEGER,
            "minimum_confidence_bucket": BUCKET,
            "thresholds": a_list(
                an_object({"minimum_confidence_bucket": BUCKET, "approved": INTEGER, "reviewed": INTEGER})
            ),
            "other_reviews": {**INTEGER, "description": "Sent to a person whatever the threshold"},
            "denied": INTEGER,
            "limits": {**a_list(STRING), "description": "What these numbers leave out, in words"},
        }
    ),
    "SuspensionRequest": an_object(
        {"kind": one_of(*SuspensionKind), "reason": {"type": "string", "minLength": 1, "maxLength": 1000}},
        {
            "subject": {
                "type": "string",
                "maxLength": 256,
                "description": "The agent's id or the tool's name, or a pattern; left out for the tenant",
            }
        },
    ),
    "SuspensionRelease": an_object({"reason": {"type": "string", "minLength": 1, "maxLength": 1000}}),
    "Suspension": an_object(
        {
            "suspension_id": UUID,
            "kind": one_of(*SuspensionKind),
            "subject": STRING,
            "reason": STRING,
            "suspended_at": MOMENT,
            "suspended_by": STRING,
            "released_at": or_null(MOMENT),
            "released_by": STRING,
            "release_reason": STRING,
        }
    ),
    "Suspensions": an_object({"suspensions": a_list(ref("Suspension"))}),
    "SingleSignOn": an_object(
        {},
        {
            "enabled": BOOLEAN,
            "issuer": {**STRING, "description": "As the provider writes it; compared character by character"},
            "client_id": STRING,
            "client_secret": {
                **STRING,
                "description": "Write-only: comes back masked; the mask stands for the stored one",
            },
            "allowed_domains": a_list(STRING),
            "default_role": or_null(
                {
                    **one_of(*(role for role in Role if role is not Role.OWNER)),
                    "description": "What somebody becomes who wasn't invited, with an address of these domains",
                }
            ),
        },
    ),
    "JudgeSettings": an_object(
        {},
        {
            "enabled": BOOLEAN,
            "provider": one_of(*Provider),
            "base_url": {**STRING, "description": "With /v1 for OpenAI-compatible servers, without it for Anthropic"},
            "model": STRING,
            "may": or_null({**one_of("lower"), "description": "Where a policy has no terms of its own for a judge"}),
            "api_key": {**STRING, "description": "Write-only: comes back masked; the mask stands for the stored key"},
        },
    ),
}

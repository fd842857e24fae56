"""What the contract tests share: what they ask, and the forms of answers, errors and tokens."""

from __future__ import annotations

import base64
import json
import re
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx2

from running_vault import Tenant

TOOL = "stripe_refund"
SMALL, MEDIUM, LARGE = {"amount": 45}, {"amount": 450}, {"amount": 4500}  # approved, reviewed, denied
UNKNOWN = "00000000-0000-7000-8000-000000000000"
REPLAYED = "idempotency-replayed"


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The body of an error answer, whose form is checked (RFC 9457 and our `code`)."""
    assert response.status_code == status, response.text[:500]
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert {"type", "title", "status", "detail", "code"} <= body.keys()
    assert (body["status"], body["code"]) == (status, code)
    assert all(isinstance(body[name], str) and body[name] for name in ("type", "title", "detail"))
    return body


BUCKETS = {"extra_high", "high", "medium", "low", "none"}
MEMBERS = {
    "status",
    "decision_status",
    "requires_manual_review",
    "token",
    "reason",
    "reason_code",
    "request_id",
    "confidence_bucket",
    "minimum_confidence_bucket",
    "policy_version_id",
    "policy_content_hash",
    "outcome",
    "decided_policy_version_id",
    "effective_args",
    "citations",
    "expires_at",
    "limits",
}


def moment(text: str) -> datetime:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text)
    return datetime.fromisoformat(text)


def well_formed(answer: dict[str, Any]) -> dict[str, Any]:
    """The table of section 2, line by line."""
    assert answer.keys() == MEMBERS
    assert answer["status"] in {"processing", "approved", "denied", "pending_review"}
    is_open = answer["status"] in {"processing", "pending_review"}
    assert answer["decision_status"] == ("approved_pending_review" if is_open else answer["status"])
    assert answer["requires_manual_review"] is (answer["outcome"] == "pending" and answer["status"] != "processing")
    assert isinstance(answer["token"], str) is (answer["status"] == "approved")
    assert answer["token"] is None or answer["token"].count(".") == 2
    assert isinstance(answer["reason"], str)
    assert answer["reason"]
    assert answer["reason_code"] is None or re.fullmatch("[a-z_]+", answer["reason_code"])
    assert str(UUID(answer["request_id"])) == answer["request_id"]
    assert answer["confidence_bucket"] in BUCKETS
    assert answer["minimum_confidence_bucket"] in BUCKETS
    for name in ("policy_version_id", "decided_policy_version_id"):
        assert answer[name] is None or str(UUID(answer[name])) == answer[name]
    assert answer["policy_content_hash"] is None or re.fullmatch("[0-9a-f]{64}", answer["policy_content_hash"])
    assert answer["outcome"] in {"approved", "denied", "expired", "cancelled", "pending"}
    assert answer["effective_args"] is None or isinstance(answer["effective_args"], dict)
    assert all(isinstance(citation["quote"], str) for citation in answer["citations"])
    assert answer["expires_at"] is None or moment(answer["expires_at"])
    return answer


def decoded(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unverified."""
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    return header, claims


def jti_of(asked: dict[str, Any]) -> str:
    return str(decoded(asked["token"])[1]["jti"])


def mint(tenant: Tenant, original: str, args: Any = None, **more: Any) -> Any:
    body = {"tool_name": TOOL, "tool_args": SMALL if args is None else args, "original_request_id": original, **more}
    return tenant.agent.post("/mint-token", body)


def delegated(tenant: Tenant, parent_jti: str, tool: str = TOOL) -> dict[str, Any]:
    return tenant.agent_2.ask(tool, SMALL, agent_id="sub", parent_jti=parent_jti)

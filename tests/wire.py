"""Names that the contract tests share: what they ask, and the form of an error."""

from __future__ import annotations

from typing import Any

import httpx2

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

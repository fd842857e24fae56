"""The bodies and parameters that the page at /docs shows. A test holds the bodies against their schemas."""

from __future__ import annotations

from typing import Any

REQUEST_ID = "0197a3c4-5d6e-7f80-91a2-b3c4d5e6f708"

BODIES: dict[str, dict[str, Any]] = {
    "ClearanceRequest": {
        "tool_name": "stripe_refund",
        "tool_args": {"amount": 45, "currency": "USD", "order_id": "A-1041"},
        "agent_id": "billing-bot",
        "context": {"facts": {"order_status": "delivered"}},
    },
    "MintRequest": {
        "tool_name": "stripe_refund",
        "tool_args": {"amount": 45, "currency": "USD", "order_id": "A-1041"},
        "agent_id": "billing-bot",
        "original_request_id": REQUEST_ID,
    },
    "ConsumeRequest": {
        "token": "eyJhbGciOiJFZERTQSIs…",
        "tool_name": "stripe_refund",
        "tool_args": {"amount": 45, "currency": "USD", "order_id": "A-1041"},
    },
    "PolicyRegistration": {
        "policy_id": "refunds",
        "description": "What the billing agents may refund",
        "rules": ["Refunds must not exceed $1000", "Amounts above 100 USD need review"],
        "tools": ["stripe_refund"],
    },
    "JsonSchema": {
        "type": "object",
        "properties": {"amount": {"type": "number", "minimum": 0}, "currency": {"enum": ["USD", "EUR"]}},
        "required": ["amount"],
    },
    "ReviewDecision": {"approved": True, "review_reason": "The customer was charged twice."},
    "JudgeSettings": {
        "enabled": True,
        "provider": "openai",
        "base_url": "https://api.openai.com/v1",
        "model": "gpt-5-mini",
        "api_key": "sk-…",
    },
    "ReviewSettings": {"minimum_confidence_bucket": "high", "quorum": 2},
}

PARAMETERS = {
    "request_id": REQUEST_ID,
    "tool_name": "stripe_refund",
    "status": "pending",
    "limit": "20",
    "from": "1",
    "to": "7",
}
"""What an address shows for a parameter; optional ones that aren't here are left out of it."""

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
    "SimulationRequest": {
        "definition": "rules:\n  - {id: small, effect: approve, when: [args.amount <= 50]}",
        "last": 1000,
    },
    "DryRunRequest": {"tool_name": "stripe_refund", "tool_args": {"amount": 45, "currency": "USD"}},
    "UnderstandRequest": {
        "sentences": ["Refunds must not exceed $100", "Refunds should not exceed 10%"],
        "tools": ["stripe_refund"],
        "facts": {"order_status": {"enum": ["open", "delivered"]}},
    },
    "PolicyDraft": {
        "description": "What the billing agents may refund",
        "rules": ["Refunds must not exceed $500", "Amounts above 100 USD need review"],
        "tools": ["stripe_refund"],
    },
    "PolicyConfirmation": {"set_aside": ["Be kind to customers."]},
    "PolicyRollback": {"version": 3},
    "Nothing": {},
    "JsonSchema": {
        "type": "object",
        "properties": {"amount": {"type": "number", "minimum": 0}, "currency": {"enum": ["USD", "EUR"]}},
        "required": ["amount"],
    },
    "InvitationRequest": {"email": "reviewer@acme.example", "role": "reviewer"},
    "RoleChange": {"role": "auditor"},
    "SuspensionRequest": {"kind": "agent", "subject": "billing-*", "reason": "Refunds were paid twice."},
    "SuspensionRelease": {"reason": "The agent was mended."},
    "OutcomeReports": {
        "reports": [{"request_id": REQUEST_ID, "outcome": "delivered", "detail": "the tool answered 200"}]
    },
    "OutcomeReport": {"request_id": REQUEST_ID, "outcome": "refused", "detail": "402 from the payment service"},
    "ToolSchemasImport": {
        "tools_list": {
            "tools": [
                {
                    "name": "stripe_refund",
                    "inputSchema": {
                        "type": "object",
                        "properties": {"amount": {"type": "integer"}, "currency": {"type": "string"}},
                        "required": ["amount", "currency"],
                    },
                }
            ]
        },
        "money": {"stripe_refund": {"amount": {"currency": {"field": "currency"}, "unit": "minor"}}},
    },
    "PastedDocument": {
        "name": "Refund policy",
        "text": "# Refunds\n\nRefunds above 100 USD need the approval of a manager.",
        "format": "markdown",
        "document_id": "refund-policy",
    },
    "ConfluenceImport": {"page_id": "98310"},
    "ConfluenceConnection": {
        "base_url": "https://acme.atlassian.net/wiki",
        "email": "ledgix@acme.example",
        "token": "ATATT3x…",
    },
    "ReviewDecisions": {
        "request_ids": ["0197a3c4-6d6e-7f80-91a2-b3c4d5e6f708"],
        "approved": True,
        "review_reason": "Refunds of the recalled model.",
    },
    "SecondReviewer": {"review_reason": "I know the customer."},
    "ReviewDecision": {"approved": True, "review_reason": "The customer was charged twice."},
    "JudgeSettings": {
        "enabled": True,
        "provider": "openai",
        "base_url": "https://api.openai.com/v1",
        "model": "gpt-5-mini",
        "api_key": "sk-…",
    },
    "ApiKeyRequest": {"name": "billing bot", "preset": "agent", "agent_ids": ["billing-*"], "expires_in_days": 90},
    "ApiKeyRotation": {"overlap_seconds": 3600},
    "SingleSignOn": {
        "enabled": True,
        "issuer": "https://login.acme.example",
        "client_id": "ledgix",
        "client_secret": "…",
        "allowed_domains": ["acme.example"],
        "default_role": "auditor",
    },
    "NotificationSettings": {
        "email": {"enabled": True, "recipients": ["reviews@example.com"]},
        "slack": {"enabled": True, "webhook_url": "https://hooks.slack.com/services/…"},
        "webhooks": [{"url": "https://example.com/ledgix", "events": ["review.requested"], "enabled": True}],
    },
    "SecretRotation": {"overlap_hours": 24},
    "TestRequest": {"channel": "email"},
    "ReviewSettings": {"minimum_confidence_bucket": "high", "quorum": 2},
}

PARAMETERS = {
    "request_id": REQUEST_ID,
    "policy_id": "refunds",
    "suspension_id": "0197a3c4-6d6e-7f80-91a2-b3c4d5e6f709",
    "key_id": "0197a3c4-7d6e-7f80-91a2-b3c4d5e6f70a",
    "webhook_id": "0197a3c4-7d6e-7f80-91a2-b3c4d5e6f70a",
    "tool_name": "stripe_refund",
    "document_id": "refund-policy",
    "version": "1",
    "q": "refund",
    "number": "4",
    "last": "1000",
    "status": "pending",
    "tool": "stripe_*",
    "outcome": "denied",
    "range": "7d",
    "limit": "20",
    "keys": "20",
    "from": "1",
    "to": "7",
}
"""What an address shows for a parameter; optional ones that aren't here are left out of it."""

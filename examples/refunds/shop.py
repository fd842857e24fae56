"""The shop around the agent: what it knows of its orders, and the payment service, where money leaves.

The payment service trusts tokens, not agents: each refund burns the token of one approval, for exactly these arguments.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ledgix

HERE = Path(__file__).parent
TOOL = "stripe_refund"
ORDERS: dict[str, Any] = json.loads((HERE / "orders.json").read_text("utf-8"))


def order_facts(args: Mapping[str, Any]) -> dict[str, Any]:
    """What the shop knows of the order: policies may look at it, and the agent can't choose it."""
    order = ORDERS.get(args["order_id"])
    return {"order": order} if order is not None else {}


@dataclass
class Payments:
    """The payment service, with an API key that can only burn tokens."""

    gateway: ledgix.Ledgix
    paid_back: list[dict[str, Any]] = field(default_factory=list)

    def refund(self, token: str | None, args: dict[str, Any]) -> str:
        """Gives money back; raises unless the token is unused and of an approval of exactly these arguments."""
        self.gateway.consume(token or "", tool_name=TOOL, tool_args=args)
        # Burned: whatever happens from here on, this approval moves no more money.
        self.paid_back.append(args)
        return f"Gave back {args['amount']} {args['currency']}."

"""A small support agent. Its one dangerous tool is guarded: it runs with an approval in hand, or not at all."""

from __future__ import annotations

from dataclasses import dataclass

import ledgix
from shop import TOOL, Payments, order_facts


@dataclass
class SupportAgent:
    payments: Payments

    @ledgix.guard(tool=TOOL, policy_id="refunds", facts=order_facts)
    def refund(self, order_id: str, amount: float, currency: str, reason: str) -> str:
        """Every argument above is what the Vault decides about; the token that it gave is for these and no others."""
        args = {"order_id": order_id, "amount": amount, "currency": currency, "reason": reason}
        clearance = ledgix.current_clearance()
        assert clearance is not None
        return f"{self.payments.refund(clearance.token, args)} {clearance.reason}"

"""The same tool in an application that uses the client published as `ledgix-python` 0.4.0, unchanged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledgix_python import ClearanceRequest, ClearanceResponse, LedgixClient, PendingApproval

from shop import TOOL, Payments, order_facts


@dataclass
class PublishedAgent:
    client: LedgixClient
    payments: Payments

    def refund(self, **args: Any) -> str:
        request = ClearanceRequest(
            tool_name=TOOL,
            tool_args=args,
            agent_id=self.client.config.agent_id,
            context={"policy_id": "refunds", "facts": order_facts(args)},
        )
        return self._run(self.client.request_clearance(request), args)

    def resume(self, pending: PendingApproval, **args: Any) -> str:
        """Runs what a person approved meanwhile."""
        return self._run(pending.wait(timeout=10), args)

    def _run(self, clearance: ClearanceResponse, args: dict[str, Any]) -> str:
        return f"{self.payments.refund(clearance.token, args)} {clearance.reason}"

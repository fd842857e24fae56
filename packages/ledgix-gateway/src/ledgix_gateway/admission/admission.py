"""The checks in their order, then the burn.

1. there is one token                          token_missing, token_ambiguous
2. its signature, issuer, audience, tenant and expiry hold (at most 60 s of skew)    token_invalid, token_expired
3. it is for this tool                         token_tool_mismatch
4. the hash of the live arguments is its       token_args_mismatch
5. where the route says so, it is this agent's token_agent_mismatch
6. the Vault burns it, comparing 2 to 4 again  token_already_consumed, suspended, vault_unavailable

Between 5 and 6 the proxy makes sure that the tool can be reached: a token isn't burned for a call that can't be made.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledgix_gateway.admission.passage import Approval, Presented, Verified
from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.routes.call import Call
from ledgix_gateway.routes.route import Route
from ledgix_gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class Admission:
    vault: Vault

    async def present(self, route: Route, token: str | None) -> Presented:
        """Steps 1 to 3, which need no body. Asks the Vault at most for its token keys."""
        if token is None:
            raise refusal(Code.TOKEN_MISSING, f"{route.label} needs an approval token for this very call.")
        claims = await self.vault.verify(token)
        if claims.tool != route.tool:
            raise refusal(
                Code.TOOL_MISMATCH, "This token approves a call of another tool.", request_id=claims.request_id
            )
        return Presented(token, claims)

    def compare(self, presented: Presented, call: Call) -> Verified:
        """Steps 4 and 5. Asks nobody."""
        claims = presented.claims
        if claims.tool != call.route.tool:
            raise refusal(
                Code.TOOL_MISMATCH, "This token approves a call of another tool.", request_id=claims.request_id
            )
        if claims.tool_args_hash != call.arguments_hash:
            raise refusal(
                Code.ARGS_MISMATCH,
                "This token approves other arguments than those of this request.",
                request_id=claims.request_id,
            )
        if call.agent_id is not None and call.agent_id != claims.agent_id:
            raise refusal(Code.AGENT_MISMATCH, "This token belongs to another agent.", request_id=claims.request_id)
        return Verified(presented.token, claims, call)

    async def burn(self, verified: Verified) -> Approval:
        """Step 6. Burned: from here on the call is made once, by whoever holds the Approval, or not at all."""
        call = verified.call
        await self.vault.burn(verified.token, verified.claims, call.route.tool, call.arguments)
        return Approval(verified.claims)

    async def verify(self, call: Call, token: str | None) -> Verified:
        """Steps 1 to 5. Burns nothing."""
        return self.compare(await self.present(call.route, token), call)

    async def admit(self, call: Call, token: str | None) -> Approval:
        """All steps in one go, for doors that don't forward the call themselves."""
        return await self.burn(await self.verify(call, token))

"""A dry run: what would be decided of one call, with the whole trace. No row, no event, no token, nothing reserved."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix_vault.clearance.decision import Decision, Outcome
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.operations.steps.drafts import Draft, compile_draft, with_draft
from ledgix_vault.operations.steps.evaluate import decide_at
from ledgix_vault.operations.steps.limits import bounded, find_limits
from ledgix_vault.policy.call import Call
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.limits import used_of
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Tried:
    """The decision that would be made; `with_draft` says whether a draft stood in for its policy."""

    decision: Decision
    with_draft: bool


async def try_clearance(vault: Vault, caller: Caller, request: ClearanceRequest, draft: Draft | None) -> Tried:
    """Decides as `request_clearance` would, now, and forgets it. Raises what a draft's flaws raise."""
    caller.require(Scope.POLICY)

    def decide(connection: Connection) -> Tried:
        state = vault.store.tenant(caller.tenant_id)
        if draft is not None:
            state = with_draft(state, compile_draft(connection, state, draft))
        now = vault.clock()

        def limited(call: Call, decision: Decision) -> Decision:
            if decision.outcome not in (Outcome.APPROVED, Outcome.PENDING):
                return decision
            looked = find_limits(
                state.snapshot, call, lambda demand: used_of(connection, caller.tenant_id, demand, now)
            )
            return bounded(state.snapshot, decision, looked)

        window = vault.settings.delegation_window
        decision, _ = decide_at(lambda: connection, state, request, now, window, limited)
        return Tried(decision, draft is not None)

    return await vault.store.read(decide)

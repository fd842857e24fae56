"""Deciding a call: the request, its verdict, its ledger event and what follows from them, in one transaction.

What needs no transaction is made before it, so that the one writing thread does less: the decision, the identifiers,
the sealed intent. It counts only if the tenant (policies, schemas, settings) is still the same inside; else it is made
again.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.clearance import Clearance, TokenFacts
from ledgix_vault.clearance.decision import Decision, Outcome
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.current import bring_up_to_date
from ledgix_vault.operations.steps.evaluate import decide, decided_alone
from ledgix_vault.operations.steps.record import Intent, intent_of, record_new
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.tenancy.state import TenantState
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Prepared:
    """A decision that only lacks its moment. It holds for `state` alone."""

    state: TenantState
    clearance: Clearance
    intent: Intent


async def request_clearance(
    vault: Vault, caller: Caller, request: ClearanceRequest, key: IdempotencyKey | None
) -> tuple[Clearance, bool]:
    """Decides one call; the clearance, and whether it is a replay of an earlier answer.

    Durable on return: request, decision, review if any, ledger event with its receipt. The token is signed after
    that, from facts that are stored, so a caller who lost the answer gets the same bytes by the same key.
    """
    read_at = vault.clock()
    caller.require(Scope.CLEARANCE)
    caller.require_agent(request.agent_id)
    state = vault.store.tenant(caller.tenant_id)
    decision = decided_alone(state, request)
    prepared = None if decision is None else _prepare(vault, caller, request, state, decision, depth=0)
    stored = await vault.store.run(partial(_record, vault, caller, request, prepared, read_at), key)
    if not isinstance(stored, Replayed):
        return stored, False
    now_and_then = partial(
        bring_up_to_date, tenant_id=caller.tenant_id, request_id=stored.reference, lifetime=vault.settings.jwt_ttl
    )
    return await vault.store.run(now_and_then), True


def _prepare(
    vault: Vault, caller: Caller, request: ClearanceRequest, state: TenantState, decision: Decision, depth: int
) -> Prepared:
    clearance = Clearance(
        tenant_id=caller.tenant_id,
        request_id=new_id(),
        key_lineage=caller.lineage,
        requested_at=0,
        request=request,
        decision=decision,
        token=_token(vault) if decision.outcome is Outcome.APPROVED else None,
        depth=depth,
    )
    return Prepared(state, clearance, intent_of(clearance, EventKind.CLEARANCE_DECIDED))


def _token(vault: Vault) -> TokenFacts:
    """A token whose lifetime is fixed; `begun` gives it its moment."""
    return TokenFacts(new_id(), vault.token_key).issued(0, vault.settings.jwt_ttl)


def _record(
    vault: Vault, caller: Caller, request: ClearanceRequest, prepared: Prepared | None, read_at: int, unit: Unit
) -> Stored[Clearance]:
    state = unit.tenant(caller.tenant_id)
    if prepared is None or prepared.state is not state:
        decision, depth = decide(unit, caller.tenant_id, request, vault.settings.delegation_window)
        prepared = _prepare(vault, caller, request, state, decision, depth)
    clearance = prepared.clearance.begun(unit.now, vault.settings.jwt_ttl, state.settings.review_expiry_seconds)
    record_new(unit, clearance, prepared.intent, state.settings, read_at)
    return Stored(clearance, reference=clearance.request_id)

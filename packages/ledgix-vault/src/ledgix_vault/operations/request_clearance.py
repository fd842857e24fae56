"""Deciding a call: the request, its verdict, its ledger event and what follows from them, in one transaction."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.clearance import Clearance, TokenFacts
from ledgix_vault.clearance.decision import Outcome
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.current import bring_up_to_date
from ledgix_vault.operations.steps.evaluate import Early, decide, decide_early
from ledgix_vault.operations.steps.record import record_new
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.vault import Vault


async def request_clearance(
    vault: Vault, caller: ApiKey, request: ClearanceRequest, key: IdempotencyKey | None
) -> tuple[Clearance, bool]:
    """Decides one call; the clearance, and whether it is a replay of an earlier answer.

    Durable on return: request, decision, review if any, ledger event with its receipt. The token is signed after
    that, from facts that are stored, so a caller who lost the answer gets the same bytes by the same key.
    """
    caller.require(Scope.CLEARANCE)
    caller.require_agent(request.agent_id)
    early = decide_early(vault.store.tenant(caller.tenant_id), request)
    stored = await vault.store.run(partial(_decide_and_record, vault, caller, request, early), key)
    if not isinstance(stored, Replayed):
        return stored, False
    now_and_then = partial(
        bring_up_to_date, tenant_id=caller.tenant_id, request_id=stored.reference, lifetime=vault.settings.jwt_ttl
    )
    return await vault.store.run(now_and_then), True


def _decide_and_record(
    vault: Vault, caller: ApiKey, request: ClearanceRequest, early: Early | None, unit: Unit
) -> Stored[Clearance]:
    settings = unit.tenant(caller.tenant_id).settings
    decision, depth = decide(unit, caller.tenant_id, request, early, vault.settings.delegation_window)
    pending = decision.outcome is Outcome.PENDING
    clearance = Clearance(
        tenant_id=caller.tenant_id,
        request_id=new_id(),
        key_lineage=caller.lineage,
        requested_at=unit.now,
        request=request,
        decision=decision,
        token=_token(vault, unit) if decision.outcome is Outcome.APPROVED else None,
        depth=depth,
        review_expires_at=unit.now + settings.review_expiry_seconds * MICROSECONDS if pending else None,
    )
    record_new(unit, clearance, EventKind.CLEARANCE_DECIDED, settings.quorum)
    return Stored(clearance, reference=clearance.request_id)


def _token(vault: Vault, unit: Unit) -> TokenFacts:
    return TokenFacts(jti=new_id(), kid=vault.token_key).issued(unit.now, vault.settings.jwt_ttl)

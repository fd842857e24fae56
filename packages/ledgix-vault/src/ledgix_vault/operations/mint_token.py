"""Minting: a new decision over a call that rules approved a moment ago, never a copy of the old one."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.clearance import Clearance, TokenFacts
from ledgix_vault.clearance.decision import SUSPENDED, Decision, Outcome, refused
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.errors import Forbidden, NotFound
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.current import bring_up_to_date
from ledgix_vault.operations.steps.evaluate import decide
from ledgix_vault.operations.steps.record import intent_of, record_new
from ledgix_vault.store.clearances import find_clearance
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.vault import Vault


async def mint_token(
    vault: Vault, caller: Caller, request: ClearanceRequest, original_request_id: str, key: IdempotencyKey | None
) -> tuple[Clearance, bool]:
    """Decides the same call anew and approves it under a fresh id; the clearance, and whether it is a replay.

    Raises `Forbidden` with a code when the original can't be minted from, when the call differs from it, or when the
    rules by now say anything but approve (that refusal is recorded as a decision). Durable on return.
    """
    read_at = vault.clock()
    caller.require(Scope.CLEARANCE)
    caller.require_agent(request.agent_id)
    stored = await vault.store.run(partial(_mint, vault, caller, request, original_request_id, read_at), key)
    if isinstance(stored, Replayed):
        again = partial(
            bring_up_to_date, tenant_id=caller.tenant_id, request_id=stored.reference, lifetime=vault.settings.jwt_ttl
        )
        return _unless_suspended(vault, await vault.store.run(again)), True
    minted: Clearance = stored
    if minted.decision.outcome is not Outcome.APPROVED:
        raise Forbidden(
            minted.decision.reason, code=minted.decision.reason_code or "mint_refused", request_id=minted.request_id
        )
    return _unless_suspended(vault, minted), False


def _unless_suspended(vault: Vault, minted: Clearance) -> Clearance:
    """A suspension that came a moment later, or before this retry, still keeps the token back."""
    if suspension := vault.suspension_of(minted):
        raise Forbidden(suspension.why, code=SUSPENDED, request_id=minted.request_id)
    return minted


def _mint(
    vault: Vault, caller: Caller, asked: ClearanceRequest, original_request_id: str, read_at: int, unit: Unit
) -> Stored[Clearance]:
    original = find_clearance(unit.connection, caller.tenant_id, original_request_id)
    if original is None or not caller.owns(original.key_lineage):
        raise NotFound("There is no request with this original_request_id that this API key asked.")
    _check_mintable(vault, original, asked, unit.now)
    # The session is the new call's own; context and delegation are the original's (contract section 2).
    request = replace(original.request, session_id=asked.session_id)
    decision, depth = decide(unit, caller.tenant_id, request, vault.settings.delegation_window)
    approved = decision.outcome is Outcome.APPROVED
    minted = Clearance(
        tenant_id=caller.tenant_id,
        request_id=new_id(),
        key_lineage=caller.lineage,
        requested_at=unit.now,
        request=request,
        decision=decision if approved else _refusal(decision),
        token=TokenFacts(new_id(), vault.token_key).issued(unit.now, vault.settings.jwt_ttl) if approved else None,
        original_request_id=original_request_id,
        depth=depth,
    )
    kind = EventKind.TOKEN_MINTED if approved else EventKind.CLEARANCE_DECIDED
    record_new(unit, minted, intent_of(minted, kind), unit.tenant(caller.tenant_id).settings, read_at)
    # A refusal is never remembered: once the rules allow it again, the same key may ask again.
    return Stored(minted, reference=minted.request_id if approved else "")


def _check_mintable(vault: Vault, original: Clearance, asked: ClearanceRequest, now: int) -> None:
    if not original.mintable:
        raise Forbidden(
            f"Only what rules alone approved can be minted from; this request is {original.decision.outcome},"
            f" decided by {original.decision.decider.type}.",
            code="mint_not_possible",
        )
    if now > original.requested_at + vault.settings.mint_window * MICROSECONDS:
        raise Forbidden(
            f"The original decision is older than {vault.settings.mint_window} seconds; ask for clearance again.",
            code="mint_window_passed",
        )
    if different := asked.differences(original.request):
        raise Forbidden(
            f"This is not the call that was approved: {', '.join(different)} differ; ask for clearance.",
            code="mint_mismatch",
        )


def _refusal(decision: Decision) -> Decision:
    """A mint never opens a review: what would need a person is refused, and says so."""
    if decision.outcome is Outcome.DENIED:
        return decision
    return refused(decision, "review_required", f"This call needs a review by now. {decision.reason}")

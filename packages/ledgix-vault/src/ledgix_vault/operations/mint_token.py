"""Minting: a new decision over a call that was approved before, never a copy of the old one (contract section 2).

Invariants
- Only the key that asked mints, for the very call that was approved, from an approval that was neither cancelled nor
  changed. All policies, limits and suspensions of this moment decide; a refusal is recorded as a decision.
- As a rule only what rules alone approved can be minted from, and only for `VAULT_MINT_WINDOW` seconds. A reported
  `delivered` or `refused` changes nothing of that: such a mint is another call, like asking again.
- The exception is the retry after a reported `unknown`. From then on nothing else is minted from that approval.
  - The policy that decided the original allows it (`retry_after_unknown`), in the version that is active now, for this
    tool. Whoever had approved the original, rules alone must approve now: a person's word was for one call.
  - The window begins with the report, since it may take long until nobody can tell.
  - One retry ever for each original, whatever the concurrency: it is written into the report's row by compare-and-swap,
    in the transaction that mints it. A refused attempt doesn't use it up.
  - Nothing is minted from a retry: it is no start of a chain.
  - The unknown call keeps what it took of budgets, and the retry takes it again: the money may have moved twice.
  - Its event names the original, and why (`after_outcome`).
"""

from __future__ import annotations

from functools import partial
from typing import assert_never

from msgspec.structs import replace

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance, TokenFacts
from ledgix_vault.clearance.decision import SUSPENDED, Decision, Outcome, refused
from ledgix_vault.clearance.facts import AFTER_OUTCOME
from ledgix_vault.clearance.reports import Report, Reported
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.clearance.retries import Retry
from ledgix_vault.errors import Forbidden, NotFound
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.current import bring_up_to_date
from ledgix_vault.operations.steps.evaluate import decide
from ledgix_vault.operations.steps.record import intent_of, record_new
from ledgix_vault.operations.steps.retries import is_retry, look_at_retry
from ledgix_vault.store.clearances import find_clearance
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.reports import claim_retry, find_report
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
    """Decides the same call anew and approves it under a fresh id; the clearance, and whether this is a replay.

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
    unknown = _check_mintable(vault, unit, original, asked)
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
    if approved and unknown is not None and not claim_retry(unit, unknown, minted.request_id):
        raise _refused_retry(vault, Retry.USED)
    kind = EventKind.TOKEN_MINTED if approved else EventKind.CLEARANCE_DECIDED
    why: JsonObject = {} if unknown is None else {AFTER_OUTCOME: str(unknown.outcome)}
    settings = unit.tenant(caller.tenant_id).settings
    record_new(unit, minted, intent_of(minted, kind, beside=why), settings, read_at)
    # A refusal is never remembered: once the rules allow it again, the same key may ask again.
    return Stored(minted, reference=minted.request_id if approved else "")


def _check_mintable(vault: Vault, unit: Unit, original: Clearance, asked: ClearanceRequest) -> Report | None:
    """Returns if `asked` may be minted from `original`; the report of its unknown outcome if that is the retry."""
    report = find_report(unit.connection, original.tenant_id, original.request_id)
    unknown = report if report is not None and report.outcome is Reported.UNKNOWN else None
    if unknown is not None:
        _check_retry(vault, unit, original, unknown)
    elif is_retry(unit.connection, original):
        raise _refused_retry(vault, Retry.NONE)
    else:
        _check_by_rule(vault, unit, original)
    if different := asked.differences(original.request):
        raise Forbidden(
            f"This is not the call that was approved: {', '.join(different)} differ; ask for clearance.",
            code="mint_mismatch",
        )
    return unknown


def _check_by_rule(vault: Vault, unit: Unit, original: Clearance) -> None:
    if not original.mintable:
        raise Forbidden(
            f"Only what rules alone approved can be minted from; this request is {original.decision.outcome},"
            f" decided by {original.decision.decider.type}.",
            code="mint_not_possible",
        )
    if unit.now > original.requested_at + vault.settings.mint_window * MICROSECONDS:
        raise Forbidden(
            f"The original decision is older than {vault.settings.mint_window} seconds; ask for clearance again.",
            code="mint_window_passed",
        )


def _check_retry(vault: Vault, unit: Unit, original: Clearance, unknown: Report) -> None:
    snapshot, window = unit.tenant(original.tenant_id).snapshot, vault.settings.mint_window
    retry = look_at_retry(unit.connection, snapshot, original, unknown, now=unit.now, window=window)
    if retry is not Retry.POSSIBLE:
        raise _refused_retry(vault, retry)


def _refused_retry(vault: Vault, retry: Retry) -> Forbidden:
    match retry:
        case Retry.USED:
            return Forbidden(
                "The one retry of this call was given already; find out what became of both before asking again.",
                code="mint_after_unknown_used",
            )
        case Retry.NOT_ALLOWED:
            return Forbidden(
                "The outcome of this call is unknown, and the policy that decided it allows no retry"
                " (retry_after_unknown): find out what became of the call, then ask for clearance.",
                code="mint_after_unknown_not_allowed",
            )
        case Retry.OVER:
            return Forbidden(
                f"The outcome was reported more than {vault.settings.mint_window} seconds ago; ask for clearance.",
                code="mint_window_passed",
            )
        case Retry.NONE:
            return Forbidden(
                "This is itself a retry, or its approval was cancelled or its arguments changed; ask for clearance.",
                code="mint_not_possible",
            )
        case Retry.POSSIBLE:
            raise AssertionError("what is possible is not refused")
        case _:
            assert_never(retry)


def _refusal(decision: Decision) -> Decision:
    """A mint never opens a review: what would need a person is refused, and says so."""
    if decision.outcome is Outcome.DENIED:
        return decision
    return refused(decision, "review_required", f"This call needs a review by now. {decision.reason}")

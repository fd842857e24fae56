"""Deciding several reviews alike. Each is a decision of its own, with its own transaction, event and token."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.errors import Invalid, VaultError
from ledgix_vault.operations.steps.deciding import REASON_MISSING, Verdict, settle_review
from ledgix_vault.store.clearances import find_clearance
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

MOST_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one of them: the clearance as it now stands, or why it was refused."""

    request_id: str
    clearance: Clearance | None
    problem: VaultError | None


async def decide_reviews(
    vault: Vault, caller: Caller, request_ids: Sequence[str], verdict: Verdict, key: IdempotencyKey | None
) -> list[Decided]:
    """Settles each of up to 100 reviews, in the order given; one that is refused doesn't stop the others.

    Raises `Invalid` for a wrong list, and where the tenant wants a reason and there is none. Arguments can't be changed
    here. What was decided is durable on return.
    """
    caller.require_any(Scope.REVIEW, Scope.CLEARANCE)
    chosen = list(dict.fromkeys(request_ids))
    if not 1 <= len(chosen) <= MOST_AT_ONCE:
        raise Invalid(f"must be 1 to {MOST_AT_ONCE} request ids", path="$.request_ids")
    if vault.store.tenant(caller.tenant_id).settings.asks_reason(approved=verdict.approved) and not verdict.said_why:
        raise Invalid(REASON_MISSING, path="$.review_reason", code="review_reason_required")
    return list(await asyncio.gather(*(_decide(vault, caller, each, verdict, key) for each in chosen)))


async def _decide(
    vault: Vault, caller: Caller, request_id: str, verdict: Verdict, key: IdempotencyKey | None
) -> Decided:
    own_key = key.for_part(request_id) if key is not None else None
    try:
        stored = await vault.store.run(partial(settle_review, vault, caller, request_id, verdict), own_key)
    except VaultError as problem:
        return Decided(request_id, None, problem)
    if isinstance(stored, Replayed):
        look = partial(find_clearance, tenant_id=caller.tenant_id, request_id=request_id)
        return Decided(request_id, await vault.store.read(look), None)
    if isinstance(stored, VaultError):
        return Decided(request_id, None, stored)
    return Decided(request_id, stored, None)

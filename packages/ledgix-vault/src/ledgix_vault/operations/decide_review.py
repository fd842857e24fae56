"""Deciding a review: approve, deny, or the asker's own cancel."""

from __future__ import annotations

from functools import partial

from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.errors import VaultError
from ledgix_vault.operations.steps.deciding import Verdict, settle_review
from ledgix_vault.store.clearances import find_clearance
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

__all__ = ["Verdict", "decide_review"]


async def decide_review(
    vault: Vault, caller: Caller, request_id: str, verdict: Verdict, key: IdempotencyKey | None
) -> tuple[Clearance, bool]:
    """Settles a review; the clearance as it now stands, and whether this is a replay.

    Raises `Conflict` for the opposite of what was decided, for a review that expired (its expiry is written first), and
    when the rules by now deny the call or it is suspended; `Forbidden` for whoever is not the one to approve it.
    Durable on return.
    """
    caller.require_any(Scope.REVIEW, Scope.CLEARANCE)
    stored = await vault.store.run(partial(settle_review, vault, caller, request_id, verdict), key)
    if isinstance(stored, Replayed):
        clearance = await vault.store.read(
            partial(find_clearance, tenant_id=caller.tenant_id, request_id=stored.reference)
        )
        assert clearance is not None
        return clearance, True
    if isinstance(stored, VaultError):
        raise stored  # what had to be written before this refusal is committed
    return stored, False

"""Telling the key that asked how its request stands; after a review the first such answer hands out the token."""

from __future__ import annotations

import asyncio
from functools import partial

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.errors import Busy, NotFound, Unavailable
from ledgix_vault.operations.steps.current import bring_up_to_date, is_due
from ledgix_vault.store.clearances import find_clearance
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

PATIENCE = 2.0
"""Seconds for writing a hand-out. Clients in the field don't retry this request, so it never fails for load."""


async def clearance_status(vault: Vault, caller: Caller, request_id: str) -> JsonObject:
    """The clearance answer; `processing` while what is due can't be written."""
    caller.require(Scope.CLEARANCE)
    clearance = await vault.store.read(partial(find_clearance, tenant_id=caller.tenant_id, request_id=request_id))
    if clearance is None or not caller.owns(clearance.key_lineage):
        raise NotFound("There is no request with this id that this API key asked.")
    if not is_due(clearance, vault.clock()):
        return vault.answer(clearance)
    write = partial(
        bring_up_to_date, tenant_id=caller.tenant_id, request_id=request_id, lifetime=vault.settings.jwt_ttl
    )
    try:
        async with asyncio.timeout(PATIENCE):
            return vault.answer(await vault.store.run(write))
    except (TimeoutError, Busy, Unavailable):
        return _processing(vault, clearance)


def _processing(vault: Vault, clearance: Clearance) -> JsonObject:
    return {
        **vault.answer_without_token(clearance),
        "status": "processing",
        "decision_status": "approved_pending_review",
        "token": None,
        "reason": "The Vault is busy and has not written this answer yet; ask again.",
        "reason_code": None,
    }

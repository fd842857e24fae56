"""One review with what a reviewer has to know, and how many wait."""

from __future__ import annotations

from functools import partial

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import NotFound
from ledgix_vault.operations.steps.reviews import review_items
from ledgix_vault.store.clearances import count_waiting, find_clearance, find_review
from ledgix_vault.store.engine import Connection
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

MOST_COUNTED = 100


async def read_review(vault: Vault, caller: Caller, request_id: str) -> JsonObject:
    """The review of this request; raises `NotFound` for one that isn't there, another tenant's, or never needed one."""
    caller.require(Scope.REVIEW)
    state, now = vault.store.tenant(caller.tenant_id), vault.clock()

    def read(connection: Connection) -> JsonObject:
        review = find_review(connection, caller.tenant_id, request_id)
        clearance = find_clearance(connection, caller.tenant_id, request_id)
        if review is None or clearance is None:
            raise NotFound("There is no review with this id.")
        return review_items(connection, caller, state, [(clearance, review)], now)[0]

    return await vault.store.read(read)


async def review_counts(vault: Vault, caller: Caller) -> JsonObject:
    """How many reviews wait, and how many of them were escalated; each counted up to 100."""
    caller.require(Scope.REVIEW)
    look = partial(count_waiting, tenant_id=caller.tenant_id, now=vault.clock(), most=MOST_COUNTED)
    waiting = await vault.store.read(look)
    escalated = await vault.store.read(partial(look, escalated=True))
    return {"waiting": waiting, "escalated": escalated, "counted_up_to": MOST_COUNTED}


async def count_reviews(vault: Vault, caller: Caller) -> int:
    """How many reviews wait for a person; counted up to 100, and 0 for whoever may not see them."""
    if not caller.allows(Scope.REVIEW):
        return 0
    look = partial(count_waiting, tenant_id=caller.tenant_id, now=vault.clock(), most=MOST_COUNTED)
    return await vault.store.read(look)

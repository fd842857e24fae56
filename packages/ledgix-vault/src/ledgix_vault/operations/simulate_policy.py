"""Running a draft over recorded requests or given calls: what it would change. Nothing is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import TypeVar

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.errors import Busy
from ledgix_vault.operations.steps.drafts import Draft, compile_draft
from ledgix_vault.operations.steps.simulation import PAGE, SLICE, Simulation
from ledgix_vault.store.simulation import last_requests, requests_in
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

T = TypeVar("T")


async def simulate_policy(
    vault: Vault, caller: Caller, draft: Draft, *, last: int = 0, calls: Sequence[ClearanceRequest] = ()
) -> AsyncGenerator[JsonObject]:
    """Progress (`examined`, `total`) after each page, and at the end the result, which has `changes`.

    The draft is compiled before the first item: `PolicyInvalid` and `NotFound` are raised there. One simulation at a
    time for each tenant, else `Busy`.
    """
    caller.require(Scope.POLICY)
    tenant_id = caller.tenant_id
    if tenant_id in vault.simulating:
        raise Busy(5, "Another simulation of this tenant is running; ask again when it is done.")
    vault.simulating.add(tenant_id)
    try:
        state = vault.store.tenant(tenant_id)
        document = await vault.store.read(lambda connection: compile_draft(connection, state, draft))
        simulation = Simulation(state, document, vault.clock())
        if calls:
            for at in range(0, len(calls), PAGE):
                await _in_slices(simulation.take_calls, calls[at : at + PAGE])
                yield {"examined": simulation.examined, "total": len(calls)}
        else:
            window = await vault.store.read(partial(last_requests, tenant_id=tenant_id, most=last))
            after = ""
            while page := await vault.store.read(
                partial(requests_in, tenant_id=tenant_id, window=window, after=after, limit=PAGE)
            ):
                await _in_slices(simulation.take_recorded, page)
                after = page[-1].request_id
                yield {"examined": simulation.examined, "total": window.size}
        yield simulation.result()
    finally:
        vault.simulating.discard(tenant_id)


async def _in_slices(take: Callable[[Sequence[T]], None], items: Sequence[T]) -> None:
    """In another thread, a few at a time: requests for clearance aren't kept waiting."""
    for at in range(0, len(items), SLICE):
        await asyncio.to_thread(take, items[at : at + SLICE])

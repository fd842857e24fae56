"""The same simulation for the command line, on a view of the database, whether or not a Vault runs on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.operations.steps.drafts import Draft, compile_draft
from ledgix_vault.operations.steps.simulation import PAGE, Simulation
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.simulation import last_requests, requests_in
from ledgix_vault.store.tenants import load_tenant_state


def simulate_offline(
    connection: Connection,
    tenant_id: str,
    draft: Draft,
    now: int,
    *,
    last: int = 0,
    calls: Sequence[ClearanceRequest] = (),
) -> Iterator[JsonObject]:
    """Progress after each page, and at the end the result; raises what `compile_draft` raises."""
    state = load_tenant_state(connection, tenant_id)
    simulation = Simulation(state, compile_draft(connection, state, draft), now)
    for at in range(0, len(calls), PAGE):
        simulation.take_calls(calls[at : at + PAGE])
        yield {"examined": simulation.examined, "total": len(calls)}
    if not calls:
        window, after = last_requests(connection, tenant_id, last), ""
        while page := requests_in(connection, tenant_id, window, after, PAGE):
            simulation.take_recorded(page)
            after = page[-1].request_id
            yield {"examined": simulation.examined, "total": window.size}
    yield simulation.result()

"""Resuming the logs at start: the database must extend the last checkpoint that left this Vault.

A restored backup would otherwise sign a second history: the high-water cell, which is outside the database, still knows
the first. Rows above the cell are what a crash left between steps 1 and 2 of signing; the swap is finished here.
"""

from __future__ import annotations

from ledgix_vault.errors import StartRefused
from ledgix_vault.operations.steps.extends import check_extends, check_root
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.high_water import Cell, HighWater
from ledgix_vault.store.logs import edges_at, load_checkpoints
from ledgix_vault.store.store import Store
from ledgix_vault.tenancy.state import TenantState


def resume_logs(store: Store, high_water: HighWater) -> None:
    """Publishes the newest checkpoint of every log; raises `StartRefused` when a log is behind its cell."""
    for state in store.tenants():
        store.read_and_wait(lambda connection, state=state: _resume(connection, store, high_water, state))  # type: ignore[misc]


def _resume(connection: Connection, store: Store, high_water: HighWater, state: TenantState) -> None:
    log = store.log(state.tenant_id)
    cell = high_water.read(log.key_id)
    newest = next(iter(load_checkpoints(connection, state.tenant_id, newest=1)), None)
    if cell is not None:
        check_extends(connection, state, log.integrator.size, cell)
    if newest is None:
        return
    signed_by_this_key = newest.signer_key_id == log.key_id  # not so after a recovery, until the new key has signed
    if cell is None and signed_by_this_key and newest.checkpoint_id > 1:
        raise StartRefused(
            f"The high-water file knows nothing of the ledger of tenant {state.name}, which has"
            f" {newest.checkpoint_id} checkpoints.",
            "It is another Vault's or a new file. Set VAULT_HIGH_WATER to the file that this Vault has used so far.",
        )
    edges = tuple(edges_at(connection, state.tenant_id, newest.tree_size))
    check_root(connection, state, newest, edges)
    if signed_by_this_key and (cell is None or newest.checkpoint_id > cell.checkpoint_id):
        high_water.advance(cell, Cell.of(newest))
    store.publish(state.tenant_id, newest, edges)

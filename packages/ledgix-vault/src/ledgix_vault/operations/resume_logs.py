"""Resuming the logs at start: the database must extend the last checkpoint that left this Vault.

A restored backup would otherwise sign a second history: the high-water cell, which is outside the database, still knows
the first. Rows above the cell are what a crash left between steps 1 and 2 of signing; the swap is finished here.
"""

from __future__ import annotations

from sqlalchemy import Connection

from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.proofs import root_at
from ledgix_vault.errors import StartRefused
from ledgix_vault.operations.sign_checkpoints import cell_of
from ledgix_vault.store.high_water import Cell, HighWater
from ledgix_vault.store.logs import StoredTiles, edges_at, load_checkpoint, load_checkpoints
from ledgix_vault.store.store import Store
from ledgix_vault.tenancy.state import TenantState

RESTORED = (
    "This is what a restored backup looks like. Put back the newest database, or find out what happened to it; if the"
    " newer one is lost for good, `ledgix-vault recover` goes on without it, under a new ledger key, and records that."
)


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
    _check_root(connection, state, newest, edges)
    if signed_by_this_key and (cell is None or newest.checkpoint_id > cell.checkpoint_id):
        high_water.advance(cell, cell_of(newest))
    store.publish(state.tenant_id, newest, edges)


def check_extends(connection: Connection, state: TenantState, size: int, cell: Cell) -> None:
    """Raises `StartRefused` unless the log, which has `size` events, contains what its cell says was signed."""
    if size < cell.tree_size:
        raise StartRefused(
            f"The ledger of tenant {state.name} has {size} events, but a checkpoint over {cell.tree_size} was signed.",
            RESTORED,
        )
    stored = load_checkpoint(connection, state.tenant_id, cell.checkpoint_id)
    if stored is None or cell_of(stored) != cell:
        raise StartRefused(
            f"The ledger of tenant {state.name} lacks checkpoint {cell.checkpoint_id}, which was signed.", RESTORED
        )
    edges = edges_at(connection, state.tenant_id, cell.tree_size)
    _check_root(connection, state, stored, edges)


def _check_root(
    connection: Connection, state: TenantState, checkpoint: Checkpoint, edges: tuple[bytes, ...] | list[bytes]
) -> None:
    tiles = StoredTiles(connection, state.tenant_id, checkpoint.tree_size, edges)
    if root_at(checkpoint.tree_size, tiles).hex() != checkpoint.root_hash:
        raise StartRefused(
            f"The ledger of tenant {state.name} lacks the root that checkpoint {checkpoint.checkpoint_id} signed.",
            "The database was damaged or edited. Run `ledgix-vault check`, then restore it from a backup.",
        )

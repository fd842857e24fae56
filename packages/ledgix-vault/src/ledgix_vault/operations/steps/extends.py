"""Whether a log still contains what was signed of it."""

from __future__ import annotations

from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.proofs import root_at
from ledgix_vault.errors import StartRefused
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.high_water import Cell
from ledgix_vault.store.logs import StoredTiles, edges_at, load_checkpoint
from ledgix_vault.tenancy.state import TenantState

RESTORED = (
    "This is what a restored backup looks like. Put back the newest database, or find out what happened to it; if the"
    " newer one is lost for good, `ledgix-vault recover` goes on without it, under a new ledger key, and records that."
)


def check_extends(connection: Connection, state: TenantState, size: int, cell: Cell) -> None:
    """Raises `StartRefused` unless the log, which has `size` events, contains what its cell says was signed."""
    if size < cell.tree_size:
        raise StartRefused(
            f"The ledger of tenant {state.name} has {size} events, but a checkpoint over {cell.tree_size} was signed.",
            RESTORED,
        )
    stored = load_checkpoint(connection, state.tenant_id, cell.checkpoint_id)
    if stored is None or Cell.of(stored) != cell:
        raise StartRefused(
            f"The ledger of tenant {state.name} lacks checkpoint {cell.checkpoint_id}, which was signed.", RESTORED
        )
    edges = edges_at(connection, state.tenant_id, cell.tree_size)
    check_root(connection, state, stored, edges)


def check_root(
    connection: Connection, state: TenantState, checkpoint: Checkpoint, edges: tuple[bytes, ...] | list[bytes]
) -> None:
    """Raises `StartRefused` unless the log had the root that this checkpoint signed."""
    tiles = StoredTiles(connection, state.tenant_id, checkpoint.tree_size, edges)
    if root_at(checkpoint.tree_size, tiles).hex() != checkpoint.root_hash:
        raise StartRefused(
            f"The ledger of tenant {state.name} lacks the root that checkpoint {checkpoint.checkpoint_id} signed.",
            "The database was damaged or edited. Run `ledgix-vault check`, then restore it from a backup.",
        )

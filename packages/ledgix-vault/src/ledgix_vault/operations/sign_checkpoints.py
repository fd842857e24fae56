"""Signing checkpoints: what grew gets a signed root, and nobody sees it before the high-water cell has it.

The order (contract section 6), and what is true after a crash:
1. commit the checkpoint's row     it is stored, unpublished; the next start finishes the rest
2. move the high-water cell        whatever happens to the database now, this history can't be replaced unseen
3. publish                         readers see it
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from ledgix.formats import checkpoints
from ledgix.formats.checkpoints import Checkpoint
from ledgix_vault.errors import HighWaterConflict, Unavailable
from ledgix_vault.store import schema
from ledgix_vault.store.high_water import Cell, HighWater
from ledgix_vault.store.logs import checkpoint_row, edges_at, load_checkpoint, load_checkpoints
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Signed:
    """A fresh checkpoint of one tenant's log, and the right edge of the tree it covers."""

    tenant_id: str
    checkpoint: Checkpoint
    edges: tuple[bytes, ...]


async def sign_checkpoints(vault: Vault, high_water: HighWater, tenant_ids: Sequence[str] | None = None) -> int:
    """Signs and publishes a checkpoint for every log that grew (or for those named); how many were signed.

    Calls must not overlap: the worker makes them one after the other.
    """
    grown = [tenant_id for tenant_id in tenant_ids or vault.store.tenant_ids() if _has_grown(vault, tenant_id)]
    if not grown:
        return 0
    signed: list[Signed] = await vault.store.run(partial(_sign, vault, grown))
    # Committed: the rows exist, and readers stop below them.
    held, conflict = await asyncio.to_thread(_advance, vault, high_water, signed)
    # The cells hold them: from here on only a history that contains them can be served.
    for fresh in held:
        vault.store.publish(fresh.tenant_id, fresh.checkpoint, fresh.edges)
    if conflict is not None:
        raise conflict
    return len(signed)


def _advance(
    vault: Vault, high_water: HighWater, signed: Sequence[Signed]
) -> tuple[Sequence[Signed], HighWaterConflict | None]:
    """Moves all cells with one sync. A log whose cell is not where this history left it doesn't hold up the others:
    the checkpoints whose cells moved, and the first conflict."""
    try:
        high_water.advance_all([(_believed_cell(vault, fresh), Cell.of(fresh.checkpoint)) for fresh in signed])
    except HighWaterConflict:
        return _advance_one_by_one(vault, high_water, signed)
    return signed, None


def _advance_one_by_one(
    vault: Vault, high_water: HighWater, signed: Sequence[Signed]
) -> tuple[Sequence[Signed], HighWaterConflict | None]:
    held, conflict = [], None
    for fresh in signed:
        try:
            _advance_from_where_it_is(vault, high_water, fresh)
            held.append(fresh)
        except HighWaterConflict as error:
            conflict = conflict or error
    return held, conflict


def _advance_from_where_it_is(vault: Vault, high_water: HighWater, fresh: Signed) -> None:
    """An earlier swap may have happened although it seemed to fail: a cell that holds one of our own rows is ours."""
    key_id, target = fresh.checkpoint.signer_key_id, Cell.of(fresh.checkpoint)
    cell = high_water.read(key_id)
    if cell == target:
        return
    if cell != _believed_cell(vault, fresh):
        if cell is None:
            raise HighWaterConflict(f"The high-water cell of log {key_id} is gone.")
        stored = vault.store.read_and_wait(
            lambda connection: load_checkpoint(connection, fresh.tenant_id, cell.checkpoint_id)
        )
        if stored is None or Cell.of(stored) != cell:
            raise HighWaterConflict(f"The high-water cell of log {key_id} holds another history's checkpoint.")
    high_water.advance(cell, target)


def _believed_cell(vault: Vault, fresh: Signed) -> Cell | None:
    """Where this process believes the cell to be: at the checkpoint it published last under the same key."""
    published = vault.store.published(fresh.tenant_id)
    if published is None or published.checkpoint.signer_key_id != fresh.checkpoint.signer_key_id:
        return None
    return Cell.of(published.checkpoint)


def _has_grown(vault: Vault, tenant_id: str) -> bool:
    published = vault.store.published(tenant_id)
    return vault.store.log(tenant_id).integrator.size > (published.checkpoint.tree_size if published else 0)


def _sign(vault: Vault, tenant_ids: Sequence[str], unit: Unit) -> Stored[list[Signed]]:
    return Stored([_sign_one(vault, tenant_id, unit) for tenant_id in tenant_ids])


def _sign_one(vault: Vault, tenant_id: str, unit: Unit) -> Signed:
    """A checkpoint over the log as it was committed before this transaction."""
    log = vault.store.log(tenant_id)
    newest = load_checkpoints(unit.connection, tenant_id, newest=1)
    previous = newest[0] if newest else None
    if previous is not None and not _is_published(vault, tenant_id, previous):
        # A row whose swap failed goes first: there is never more than one above the cell.
        return Signed(tenant_id, previous, tuple(edges_at(unit.connection, tenant_id, previous.tree_size)))
    signed_at = unit.accepted_at
    if previous is not None and signed_at < previous.signed_at:
        raise Unavailable("The clock runs behind the last checkpoint; none is signed until it has caught up.")
    checkpoint = checkpoints.sign(
        checkpoint_id=previous.checkpoint_id + 1 if previous else 1,
        tree_size=log.integrator.size,
        root_hash=log.integrator.root_hex(),
        prev_checkpoint_hash=previous.checkpoint_hash if previous else "",
        signed_at=signed_at,
        mmd_seconds=vault.settings.mmd_seconds,
        key=vault.keys.private(log.key_id),
    )
    unit.insert(schema.checkpoint, checkpoint_row(tenant_id, checkpoint))
    return Signed(tenant_id, checkpoint, tuple(log.integrator.edges()))


def _is_published(vault: Vault, tenant_id: str, checkpoint: Checkpoint) -> bool:
    published = vault.store.published(tenant_id)
    return published is not None and published.checkpoint.checkpoint_id >= checkpoint.checkpoint_id

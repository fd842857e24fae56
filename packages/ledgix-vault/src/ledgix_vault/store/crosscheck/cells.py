"""The whole database against what lies outside of it and between tenants: high-water cells, logs, signing keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from sqlalchemy import Connection, select

from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import readable
from ledgix_vault.store.crosscheck.tenants import signing_key_flaws
from ledgix_vault.store.high_water import Cell
from ledgix_vault.store.logs import load_checkpoint, load_checkpoints
from ledgix_vault.store.signing_keys import Purpose

_L, _K, _T = schema.log, schema.signing_key, schema.tenant


def cell_flaws(connection: Connection, tenant_id: str, cells: Sequence[Cell]) -> Iterator[str]:
    """Whether the log contains the last checkpoint that left this Vault. `cells` must be read before the database."""
    yield from readable("the checkpoints", partial(_cell_flaws, connection, tenant_id, cells))


def whole_flaws(connection: Connection, cells: Sequence[Cell]) -> Iterator[str]:
    """Flaws that are nobody's in particular."""
    tenants = set(connection.execute(select(_T.c.tenant_id)).scalars())
    logs = {row.tenant_id: row.key_id for row in connection.execute(select(_L.c.tenant_id, _L.c.key_id))}
    for tenant_id in sorted(tenants - logs.keys()):
        yield f"the tenant {tenant_id} has no log"
    for tenant_id in sorted(logs.keys() - tenants):
        yield f"there is a log of the tenant {tenant_id}, but no such tenant"
    for cell in cells:
        if cell.key_id not in logs.values():
            yield (
                f"the high-water file knows a log under the key {cell.key_id} with {cell.tree_size} entries;"
                " this database doesn't"
            )
    rows = connection.execute(select(_K)).all()
    if not any(row.purpose == Purpose.TOKEN and row.tenant_id is None and row.retired_at is None for row in rows):
        yield "there is no token key in use"
    for row in rows:
        if row.tenant_id is None:
            yield from readable(f"the signing key {row.key_id}", partial(signing_key_flaws, row))
            if row.purpose != Purpose.TOKEN:
                yield f"the signing key {row.key_id} is no tenant's and no token key"
        elif row.tenant_id not in tenants:
            yield f"the signing key {row.key_id} is of the tenant {row.tenant_id}, which there isn't"


def _cell_flaws(connection: Connection, tenant_id: str, cells: Sequence[Cell]) -> Iterator[str]:
    key_id = connection.execute(select(_L.c.key_id).where(_L.c.tenant_id == tenant_id)).scalar_one_or_none()
    cell = next((cell for cell in cells if cell.key_id == key_id), None)
    if cell is None:
        newest = load_checkpoints(connection, tenant_id, newest=1)
        if newest and newest[-1].checkpoint_id > 1:
            yield f"the high-water file knows nothing of this ledger's {newest[-1].checkpoint_id} checkpoints"
        return
    stored = load_checkpoint(connection, tenant_id, cell.checkpoint_id)
    if stored is None:
        yield f"checkpoint {cell.checkpoint_id} was signed and published, but is not in the database"
        return
    same = (cell.tree_size, cell.root_hash, cell.checkpoint_hash)
    if (stored.tree_size, stored.root_hash, stored.checkpoint_hash) != same:
        yield f"checkpoint {cell.checkpoint_id} is not the one that was signed and published"

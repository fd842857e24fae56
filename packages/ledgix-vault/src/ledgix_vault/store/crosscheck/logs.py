"""Logs, their keys, and the high-water cells: what lies around a ledger that proves only itself.

- A log contains the last checkpoint that left this Vault, as its high-water cell has it; no cell is without a log.
- A log's first key is the one that its first entry names. Each later one came by a recovery that an entry tells, and
  the key before it vouches for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from ledgix.formats import attestations
from ledgix.formats.events import EventKind
from ledgix.formats.keys import PublicKey
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import Entry, entries, entries_of_kinds, readable
from ledgix_vault.store.high_water import Cell
from ledgix_vault.store.logs import load_checkpoint, load_checkpoints
from ledgix_vault.store.signing_keys import Purpose, SigningKey, load_ledger_keys
from ledgix_vault.times import rfc3339

_E, _L, _K, _T = schema.event, schema.log, schema.signing_key, schema.tenant


def log_flaws(connection: Connection, tenant_id: str, cells: Sequence[Cell]) -> Iterator[str]:
    """Every flaw around the tenant's log. `cells` must have been read before the database."""
    yield from readable("the log's keys", partial(_key_flaws, connection, tenant_id))
    yield from readable("the log's head", partial(_head_flaws, connection, tenant_id))
    yield from readable("the high-water cell", partial(_cell_flaws, connection, tenant_id, cells))


def whole_flaws(connection: Connection, cells: Sequence[Cell]) -> Iterator[str]:
    """Flaws that are no tenant's in particular."""
    tenants = set(connection.execute(select(_T.c.tenant_id)).scalars())
    logs = {row.tenant_id: row.key_id for row in connection.execute(select(_L.c.tenant_id, _L.c.key_id))}
    for tenant_id in sorted(tenants - logs.keys()):
        yield f"the tenant {tenant_id} has no log"
    for tenant_id in sorted(logs.keys() - tenants):
        yield f"there is a log of the tenant {tenant_id}, but no such tenant"
    keys = connection.execute(select(_K)).all()
    if not any(key.purpose == Purpose.TOKEN and key.tenant_id is None and key.retired_at is None for key in keys):
        yield "there is no token key in use"
    for key in keys:
        yield from readable(f"the signing key {key.key_id}", partial(_one_key_flaws, key, tenants))
    known = {key.key_id for key in keys if key.tenant_id is not None}
    for cell in cells:
        if cell.key_id not in known:
            yield (
                f"the high-water file knows a log under the key {cell.key_id} with {cell.tree_size} entries;"
                " this database doesn't"
            )


def _one_key_flaws(key: Any, tenants: set[str]) -> Iterator[str]:
    if PublicKey(bytes(key.public_key)).kid != key.key_id:
        yield f"the signing key {key.key_id} is not the key that its id stands for (RFC 7638)"
    if (key.purpose == Purpose.TOKEN) != (key.tenant_id is None):
        yield f"the signing key {key.key_id} is for {key.purpose}, which doesn't fit to whose it is"
    if key.tenant_id is not None and key.tenant_id not in tenants:
        yield f"the signing key {key.key_id} is of the tenant {key.tenant_id}, which there isn't"


def _key_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    founding = next(entries(connection, tenant_id, _E.c.leaf_index == 0))
    recoveries = list(entries_of_kinds(connection, tenant_id, [EventKind.LEDGER_RECOVERED]))
    stored = {key.public.kid: key for key in load_ledger_keys(connection, tenant_id)}
    named = {str(founding.metadata["ledger_key_id"]): founding}
    named |= {str(recovery.metadata["new_key_id"]): recovery for recovery in recoveries}
    retired = {str(recovery.metadata["retired_key_id"]): recovery for recovery in recoveries}
    for kid in sorted(stored.keys() - named.keys()):
        yield f"the ledger key {kid} is in the database, but no entry of the ledger made it"
    for kid in sorted(named.keys() - stored.keys()):
        yield f"the ledger key {kid}, which entry {named[kid].position} names, is missing"
    for kid in sorted(stored.keys() & named.keys()):
        yield from _succession_flaws(stored, kid, named[kid], retired.get(kid))
    newest = str(recoveries[-1].metadata["new_key_id"] if recoveries else founding.metadata["ledger_key_id"])
    head = connection.execute(select(_L.c.key_id).where(_L.c.tenant_id == tenant_id)).scalar_one()
    if head != newest:
        yield f"the log's head names the signing key {head}; by the ledger it is {newest}"


def _succession_flaws(stored: dict[str, SigningKey], kid: str, made: Entry, retired: Entry | None) -> Iterator[str]:
    key = stored[kid]
    active_from = rfc3339(key.active_from)
    if active_from != made.accepted_at:
        yield f"the ledger key {kid} is active from another moment than entry {made.position} says"
    if (None if key.retired_at is None else rfc3339(key.retired_at)) != (retired and retired.accepted_at):
        yield f"the ledger key {kid} is retired otherwise than the ledger says"
    attestation = key.record().attestation
    if (attestation is None) != (made.kind == EventKind.TENANT_CREATED):
        yield f"the ledger key {kid} has an attestation where it must have none, or lacks one"
    elif attestation is not None:
        by = stored[str(made.metadata["retired_key_id"])]
        attestations.verify(attestation, key.public, active_from, by.public)


def _head_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    head = connection.execute(select(_L).where(_L.c.tenant_id == tenant_id)).one()
    newest = next(entries(connection, tenant_id, _E.c.leaf_index == head.size - 1), None)
    if newest is not None and rfc3339(head.last_accepted_at) != newest.accepted_at:
        yield f"the log's head says another time of the newest entry than entry {newest.position}"


def _cell_flaws(connection: Connection, tenant_id: str, cells: Sequence[Cell]) -> Iterator[str]:
    key_id = connection.execute(select(_L.c.key_id).where(_L.c.tenant_id == tenant_id)).scalar_one()
    cell = next((cell for cell in cells if cell.key_id == key_id), None)
    if cell is None:
        newest = next(iter(load_checkpoints(connection, tenant_id, newest=1)), None)
        # After a recovery the new key has no cell until it has signed.
        if newest is not None and newest.checkpoint_id > 1 and newest.signer_key_id == key_id:
            yield f"the high-water file knows nothing of this ledger's {newest.checkpoint_id} checkpoints"
        return
    stored = load_checkpoint(connection, tenant_id, cell.checkpoint_id)
    if stored is None:
        yield f"checkpoint {cell.checkpoint_id} was signed and published, but is not in the database"
        return
    signed = (cell.tree_size, cell.root_hash, cell.checkpoint_hash)
    if (stored.tree_size, stored.root_hash, stored.checkpoint_hash) != signed:
        yield f"checkpoint {cell.checkpoint_id} is not the one that was signed and published"

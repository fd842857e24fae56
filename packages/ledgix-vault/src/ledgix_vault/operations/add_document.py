"""Adding a document, or the next version of one: read in a child process, stored whole or not at all."""

from __future__ import annotations

from functools import partial

from ledgix_vault.errors import NotFound
from ledgix_vault.operations.steps.documents import Incoming, Reading, check_incoming, read_incoming, store_reading
from ledgix_vault.sources.document import DocumentVersion
from ledgix_vault.store.documents import find_version
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def add_document(
    vault: Vault, caller: Caller, incoming: Incoming, key: IdempotencyKey | None
) -> tuple[DocumentVersion, bool]:
    """The stored version, and whether this is a replay. Raises `DocumentRefused` with what is wrong with it.

    Durable on return, with its bytes, text, chunks, search index and ledger event. The newest version uploaded again is
    that version, and leaves no event.
    """
    caller.require(Scope.POLICY)
    check_incoming(incoming)
    reading = await read_incoming(vault.documents, incoming)
    stored = await vault.store.run(partial(_add, caller, reading), key)
    if isinstance(stored, Replayed):
        return await vault.store.read(partial(_again, caller.tenant_id, stored.reference)), True
    return stored, False


def _add(caller: Caller, reading: Reading, unit: Unit) -> Stored[DocumentVersion]:
    version = store_reading(unit, caller, reading)
    return Stored(version, reference=version.document_version_id)


def _again(tenant_id: str, document_version_id: str, connection: Connection) -> DocumentVersion:
    found = find_version(connection, tenant_id, document_version_id)
    if found is None:
        raise NotFound("That document was added and has been removed since.")
    return found

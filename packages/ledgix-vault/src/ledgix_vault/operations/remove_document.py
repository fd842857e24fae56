"""Removing a document with all its versions; what was cited from it stays in the ledger."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix.formats.json import Json
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import Conflict, NotFound
from ledgix_vault.operations.steps.documents import check_document_id
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.documents import remove_document as remove_rows
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def remove_document(vault: Vault, caller: Caller, document_id: str) -> int:
    """Takes away bytes, text and chunks of every version; how many versions there were. Durable on return.

    Raises `Conflict` while an active policy rests on the document.
    """
    caller.require(Scope.POLICY)
    check_document_id(document_id)
    removed: int = await vault.store.run(partial(_remove, caller, document_id))
    return removed


def _remove(caller: Caller, document_id: str, unit: Unit) -> Stored[int]:
    snapshot = unit.tenant(caller.tenant_id).snapshot
    resting = [
        active.document.policy_id
        for active in (*snapshot.policies, *snapshot.shadows)
        if any(source.document_id == document_id for source in active.document.sources)
    ]
    if resting:
        raise Conflict(
            f"The policy {resting[0]} rests on this document; activate a version without it first.",
            code="document_in_use",
        )
    versions = remove_rows(unit, caller.tenant_id, document_id)
    if not versions:
        raise NotFound(f"There is no document {document_id!r}.")
    gone: list[Json] = [
        {
            "document_version_id": version.document_version_id,
            "version": version.version,
            "original_sha256": version.original_hash,
        }
        for version in versions
    ]
    record_administration(
        unit,
        caller.tenant_id,
        EventKind.DOCUMENT_REMOVED,
        reason=f"The document {versions[-1].name} was removed with all its versions.",
        decider=decider_of(caller),
        metadata={"document_id": document_id, "name": versions[-1].name, "versions": gone},
    )
    return Stored(len(versions))

"""Looking at documents: the list, the versions of one, and what is in a version."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ledgix_vault.errors import NotFound
from ledgix_vault.operations.steps.documents import check_document_id
from ledgix_vault.sources.document import DocumentVersion
from ledgix_vault.store.documents import (
    StoredChunk,
    load_chunks,
    load_newest,
    load_original,
    load_text,
    load_versions,
)
from ledgix_vault.store.engine import Connection
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

MOST_AT_ONCE = 500
T = TypeVar("T")


async def list_documents(vault: Vault, caller: Caller, *, after: str, limit: int) -> list[DocumentVersion]:
    """The newest version of each document, by document id, after that id; `limit` is clamped to 1…500."""
    caller.require(Scope.POLICY)
    most = min(max(limit, 1), MOST_AT_ONCE)
    if after:
        check_document_id(after)
    return await vault.store.read(partial(load_newest, tenant_id=caller.tenant_id, after=after, limit=most))


async def read_document(vault: Vault, caller: Caller, document_id: str) -> list[DocumentVersion]:
    """All versions of one document, newest first; raises `NotFound`."""
    caller.require(Scope.POLICY)
    check_document_id(document_id)
    found = await vault.store.read(partial(load_versions, tenant_id=caller.tenant_id, document_id=document_id))
    if not found:
        raise NotFound(f"There is no document {document_id!r}.")
    return found[::-1]


async def read_chunks(
    vault: Vault, caller: Caller, document_id: str, version: int
) -> tuple[DocumentVersion, list[StoredChunk]]:
    """A version and its chunks in order; raises `NotFound`."""
    return await _of_version(vault, caller, document_id, version, load_chunks)


async def read_text(vault: Vault, caller: Caller, document_id: str, version: int) -> tuple[DocumentVersion, str]:
    """A version and its text; raises `NotFound`."""
    return await _of_version(vault, caller, document_id, version, load_text)


async def read_original(vault: Vault, caller: Caller, document_id: str, version: int) -> tuple[DocumentVersion, bytes]:
    """A version and its bytes as they came; raises `NotFound`."""
    return await _of_version(vault, caller, document_id, version, load_original)


async def _of_version(
    vault: Vault, caller: Caller, document_id: str, number: int, load: Callable[[Connection, str, str], T]
) -> tuple[DocumentVersion, T]:
    caller.require(Scope.POLICY)
    check_document_id(document_id)

    def look(connection: Connection) -> tuple[DocumentVersion, T]:
        for version in load_versions(connection, caller.tenant_id, document_id):
            if version.version == number:
                return version, load(connection, caller.tenant_id, version.document_version_id)
        raise NotFound(f"There is no version {number} of a document {document_id!r}.")

    return await vault.store.read(look)

"""Where cited words stand in the documents of the policy version that was cited."""

from __future__ import annotations

from collections.abc import Sequence

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.ids import is_id
from ledgix_vault.store.documents import StoredChunk, find_chunk_with, find_version
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.policies import version_by_id

MOST = 6


def clauses_of(connection: Connection, tenant_id: str, citations: Sequence[JsonObject]) -> list[Json]:
    """For each citation the section of a document in which its words stand, or null: they may be a rule's own, the
    document may be gone. The first six are looked for."""
    return [_clause(connection, tenant_id, cited) for cited in citations[:MOST]]


def _clause(connection: Connection, tenant_id: str, cited: JsonObject) -> JsonObject | None:
    quote, version_id = str(cited["quote"]), str(cited["policy_version_id"])
    version = version_by_id(connection, tenant_id, version_id) if is_id(version_id) else None
    if version is None or not quote.strip():
        return None
    sources = [source for source in version.document.sources if cited["document"] in ("", source.name)]
    found = find_chunk_with(
        connection, tenant_id, [source.version_id for source in sources], quote, str(cited["section"])
    )
    return None if found is None else _shown(connection, tenant_id, *found)


def _shown(connection: Connection, tenant_id: str, document_version_id: str, found: StoredChunk) -> JsonObject | None:
    document = find_version(connection, tenant_id, document_version_id)
    if document is None:
        return None
    return {
        "document": document.name,
        "document_id": document.document_id,
        "version": document.version,
        "section": " › ".join(found.chunk.heading),
        "page": found.chunk.page,
        "text": found.text,
    }

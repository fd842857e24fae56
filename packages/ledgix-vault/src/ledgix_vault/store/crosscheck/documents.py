"""Documents against the ledger: each version is what an entry says was added, its text and chunks are those very ones.

The full-text index is held against the chunks as far as an engine can say without writing. It decides nothing: what it
finds is read from the chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from sqlalchemy import Connection, select, text

from ledgix.formats.events import EventKind
from ledgix_vault.sources.document import hash_bytes, hash_chunks
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import Entry, differing, entries_of_kinds, readable
from ledgix_vault.store.documents import WORDS, load_chunks, version_of_row
from ledgix_vault.times import rfc3339

_V, _C, _K = schema.document_version, schema.document_chunk, schema.confluence_connection

_UNINDEXED_ON_SQLITE = (
    "SELECT count(*) FROM document_chunk c LEFT JOIN chunk_search_docsize s ON s.id = c.search_id"
    " WHERE c.tenant_id = :tenant_id AND s.id IS NULL"
)
_UNINDEXED_ON_POSTGRESQL = (
    f"SELECT count(*) FROM (SELECT search_id, tenant_id, {WORDS} AS words FROM document_chunk) c"  # noqa: S608
    " LEFT JOIN chunk_search s ON s.search_id = c.search_id AND s.tenant_id = c.tenant_id"
    " WHERE c.tenant_id = :tenant_id AND (s.words IS NULL OR s.words <> c.words)"
)


def document_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    """Every flaw of the tenant's documents and of its connection to Confluence."""
    recorded = _recorded(connection, tenant_id)
    newest = {str(entry.metadata["document_id"]): version_id for version_id, entry in recorded.items()}
    found = set()
    ids = connection.execute(
        select(_V.c.document_version_id).where(_V.c.tenant_id == tenant_id).order_by(_V.c.document_version_id)
    ).scalars()
    for version_id in list(ids):
        found.add(version_id)
        if version_id not in recorded:
            yield f"the document version {version_id} is in the database, but no entry of the ledger added it"
            continue
        is_newest = newest[str(recorded[version_id].metadata["document_id"])] == version_id
        yield from readable(
            f"the document version {version_id}",
            partial(_version_flaws, connection, tenant_id, version_id, recorded[version_id], is_newest),
        )
    for version_id in sorted(recorded.keys() - found):
        yield f"the document version {version_id}, added by entry {recorded[version_id].position}, is missing"
    yield from _chunks_of_nothing(connection, tenant_id, found)
    yield from _index_flaws(connection, tenant_id)
    yield from _connection_flaws(connection, tenant_id)


def _recorded(connection: Connection, tenant_id: str) -> dict[str, Entry]:
    """The entries that added what wasn't removed since, by version id, oldest first."""
    added: dict[str, Entry] = {}
    for entry in entries_of_kinds(connection, tenant_id, [EventKind.DOCUMENT_ADDED, EventKind.DOCUMENT_REMOVED]):
        if entry.kind == EventKind.DOCUMENT_ADDED:
            added[str(entry.metadata["document_version_id"])] = entry
            continue
        for version in entry.metadata["versions"]:
            added.pop(str(version["document_version_id"]), None)
    return added


def _version_flaws(
    connection: Connection, tenant_id: str, version_id: str, entry: Entry, is_newest: bool
) -> Iterator[str]:
    mine = (_V.c.tenant_id == tenant_id, _V.c.document_version_id == version_id)
    row = connection.execute(select(_V).where(*mine)).one()
    version = version_of_row(row)
    place = f"the document {version.name!r}, version {version.version}"
    different = differing(version.facts(), entry.facts)
    if rfc3339(version.added_at) != entry.accepted_at:
        different.append("added_at")
    if version.added_by != entry.decider_id:
        different.append("added_by")
    if different:
        yield f"{place}: its row says otherwise than entry {entry.position} about {', '.join(different)}"
    if version.newest != is_newest:
        yield f"{place}: its row says {'' if version.newest else 'not '}newest; the ledger says otherwise"
    original = bytes(row.original)
    if hash_bytes(original) != version.original_hash or len(original) != version.original_size:
        yield f"{place}: its bytes are not those that entry {entry.position} names"
    if hash_bytes(row.text.encode()) != version.text_hash or len(row.text) != version.text_length:
        yield f"{place}: its text is not the one that entry {entry.position} names"
    yield from _chunk_flaws(connection, row, place, entry)


def _chunk_flaws(connection: Connection, row: Any, place: str, entry: Entry) -> Iterator[str]:
    chunks = load_chunks(connection, row.tenant_id, row.document_version_id)
    if hash_chunks(tuple(stored.chunk for stored in chunks)) != entry.metadata["chunks_sha256"]:
        yield f"{place}: its chunks are not those that entry {entry.position} names"
    for stored in chunks:
        if row.text[stored.chunk.begins : stored.chunk.ends] != stored.text:
            yield f"{place}: chunk {stored.ordinal} says something else than the text at its place"


def _chunks_of_nothing(connection: Connection, tenant_id: str, versions: set[str]) -> Iterator[str]:
    ids = connection.execute(select(_C.c.document_version_id).where(_C.c.tenant_id == tenant_id).distinct()).scalars()
    for version_id in sorted(set(ids) - versions):
        yield f"there are chunks of the document version {version_id}, which isn't there"


def _index_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    flawed = connection.execute(
        text(_UNINDEXED_ON_SQLITE if connection.dialect.name == "sqlite" else _UNINDEXED_ON_POSTGRESQL),
        {"tenant_id": tenant_id},
    ).scalar_one()
    if flawed:
        yield f"{flawed} chunks are not in the full-text index as they are"


def _connection_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    recorded = list(entries_of_kinds(connection, tenant_id, [EventKind.CONFLUENCE_CONNECTED]))
    row = connection.execute(select(_K).where(_K.c.tenant_id == tenant_id)).first()
    if row is None:
        if recorded:
            yield f"the connection to Confluence, set by entry {recorded[-1].position}, is missing"
        return
    if not recorded:
        yield "there is a connection to Confluence, but no entry of the ledger set it"
        return
    said = {
        "base_url": row.base_url,
        "email": row.email,
        "sealed_token_sha256": hash_bytes(bytes(row.sealed_token)),
    }
    if different := differing(said, recorded[-1].facts):
        yield f"the connection to Confluence says otherwise than entry {recorded[-1].position}: {', '.join(different)}"

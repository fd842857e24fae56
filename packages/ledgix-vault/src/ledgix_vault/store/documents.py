"""Documents as stored: immutable versions with their bytes and text, and the chunks that search finds.

Everything about a version is written by one unit: its row, its chunks and their place in the full-text index. The
ledger event is the caller's part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text, update

from ledgix.formats import jcs, json
from ledgix.formats.json import Json
from ledgix_vault.sources.document import Chunk, DocumentVersion, Finding, MediaKind, Origin, ReadDocument
from ledgix_vault.store import schema
from ledgix_vault.store.unit import Unit

_V, _C, _K = schema.document_version, schema.document_chunk, schema.confluence_connection
_ABOUT = tuple(column for column in _V.c if column.name not in ("original", "text"))
HEADING_WEIGHT, TEXT_WEIGHT = "A", "B"
WORDS = "setweight(to_tsvector('english', heading), 'A') || setweight(to_tsvector('english', text), 'B')"
"""What PostgreSQL indexes of a chunk."""
_THEIRS = "FROM document_chunk WHERE tenant_id = :tenant_id AND document_version_id = :document_version_id"
MOST_PLACES = 20


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk with its words."""

    ordinal: int
    chunk: Chunk
    text: str


def add_document_version(unit: Unit, version: DocumentVersion, original: bytes, read: ReadDocument) -> None:
    """Stores a version whole; it is the newest of its document from now on."""
    mine = (_V.c.tenant_id == version.tenant_id, _V.c.document_id == version.document_id)
    unit.write(update(_V).where(*mine, _V.c.newest).values(newest=False))
    unit.write(insert(_V), _version_row(version, original, read.text))
    following = unit.read(select(func.max(_C.c.search_id))).scalar_one() or 0
    rows = [
        {
            "tenant_id": version.tenant_id,
            "document_version_id": version.document_version_id,
            "ordinal": ordinal,
            "search_id": following + ordinal,
            "page": chunk.page,
            "heading": heading_text(chunk),
            "begins": chunk.begins,
            "ends": chunk.ends,
            "text": read.text[chunk.begins : chunk.ends],
        }
        for ordinal, chunk in enumerate(read.chunks, 1)
    ]
    unit.write(insert(_C), rows)
    _index(unit, version.tenant_id, version.document_version_id)


def remove_document(unit: Unit, tenant_id: str, document_id: str) -> list[DocumentVersion]:
    """Takes away every version of a document with all that belongs to it; what there was, oldest first."""
    versions = load_versions(unit.connection, tenant_id, document_id)
    for version in versions:
        mine = {"tenant_id": tenant_id, "document_version_id": version.document_version_id}
        _unindex(unit, mine)
        unit.write(delete(_C).where(*(_C.c[name] == value for name, value in mine.items())))
        unit.write(delete(_V).where(*(_V.c[name] == value for name, value in mine.items())))
    return versions


def load_newest(connection: Connection, tenant_id: str, *, after: str, limit: int) -> list[DocumentVersion]:
    """The newest version of each document whose id sorts after `after`, by document id."""
    rows = connection.execute(
        select(*_ABOUT)
        .where(_V.c.tenant_id == tenant_id, _V.c.newest, _V.c.document_id > after)
        .order_by(_V.c.document_id)
        .limit(limit)
    )
    return [version_of_row(row) for row in rows]


def load_versions(connection: Connection, tenant_id: str, document_id: str) -> list[DocumentVersion]:
    """All versions of a document, oldest first; none if there is no such document."""
    rows = connection.execute(
        select(*_ABOUT).where(_V.c.tenant_id == tenant_id, _V.c.document_id == document_id).order_by(_V.c.version)
    )
    return [version_of_row(row) for row in rows]


def find_version(connection: Connection, tenant_id: str, document_version_id: str) -> DocumentVersion | None:
    """One version by its own id: what a policy's source or a quote names."""
    row = connection.execute(
        select(*_ABOUT).where(_V.c.tenant_id == tenant_id, _V.c.document_version_id == document_version_id)
    ).first()
    return None if row is None else version_of_row(row)


def load_text(connection: Connection, tenant_id: str, document_version_id: str) -> str:
    """The whole text of a version that there is."""
    return str(_content(connection, tenant_id, document_version_id, _V.c.text))


def load_original(connection: Connection, tenant_id: str, document_version_id: str) -> bytes:
    """The bytes of a version that there is, as they came."""
    return bytes(_content(connection, tenant_id, document_version_id, _V.c.original))


def load_chunks(connection: Connection, tenant_id: str, document_version_id: str) -> list[StoredChunk]:
    """A version's chunks in order."""
    rows = connection.execute(
        select(_C)
        .where(_C.c.tenant_id == tenant_id, _C.c.document_version_id == document_version_id)
        .order_by(_C.c.ordinal)
    )
    return [StoredChunk(row.ordinal, chunk_of_row(row), row.text) for row in rows]


def find_chunk_with(
    connection: Connection, tenant_id: str, version_ids: Sequence[str], words: str, section: str
) -> tuple[str, StoredChunk] | None:
    """The first chunk of these versions in which the very words stand, one below the heading `section` if there is
    such; with the version's id. None if they stand in none."""
    if not version_ids or "\0" in words:
        return None
    rows = connection.execute(
        select(_C)
        .where(
            _C.c.tenant_id == tenant_id,
            _C.c.document_version_id.in_(version_ids),
            _C.c.text.contains(words, autoescape=True),
        )
        .order_by(_C.c.document_version_id, _C.c.ordinal)
        .limit(MOST_PLACES)
    )
    found = [
        (row.document_version_id, StoredChunk(row.ordinal, chunk_of_row(row), row.text))
        for row in rows
        if words in row.text
    ]
    below = [each for each in found if " › ".join(each[1].chunk.heading) == section]
    return next(iter(below or found), None)


def version_of_row(row: Any) -> DocumentVersion:
    """A version as its row says; the bytes and the text stay where they are."""
    findings: Any = json.parse(row.findings.encode())
    return DocumentVersion(
        tenant_id=row.tenant_id,
        document_version_id=row.document_version_id,
        document_id=row.document_id,
        version=row.version,
        name=row.name,
        media_type=MediaKind(row.media_type),
        origin=Origin(row.origin),
        original_hash=row.original_hash,
        original_size=row.original_size,
        text_hash=row.text_hash,
        text_length=row.text_length,
        pages=row.pages,
        chunks=row.chunks,
        chunks_hash=row.chunks_hash,
        findings=tuple(Finding.from_json(finding) for finding in findings),
        newest=row.newest,
        added_at=row.added_at,
        added_by=row.added_by,
    )


def chunk_of_row(row: Any) -> Chunk:
    """A chunk's place as its row says."""
    heading = tuple(row.heading.split("\n")) if row.heading else ()
    return Chunk(page=row.page, heading=heading, begins=row.begins, ends=row.ends)


def heading_text(chunk: Chunk) -> str:
    """The path of headings, one title on each line; a title is one line by itself."""
    return "\n".join(chunk.heading)


def put_confluence_connection(unit: Unit, tenant_id: str, base_url: str, email: str, sealed_token: bytes) -> None:
    """Stores where the tenant's Confluence is and how to ask it, in place of what was known."""
    unit.write(delete(_K).where(_K.c.tenant_id == tenant_id))
    unit.insert(_K, (tenant_id, base_url, email, sealed_token, unit.now))


def find_confluence_connection(connection: Connection, tenant_id: str) -> tuple[str, str, bytes] | None:
    """(base URL, email, sealed token), if the tenant has set them."""
    row = connection.execute(select(_K).where(_K.c.tenant_id == tenant_id)).first()
    return None if row is None else (row.base_url, row.email, bytes(row.sealed_token))


def _version_row(version: DocumentVersion, original: bytes, whole: str) -> dict[str, Any]:
    findings: list[Json] = [finding.to_json() for finding in version.findings]
    return {name: getattr(version, name) for name in _V.c.keys() if hasattr(version, name)} | {  # noqa: SIM118
        "media_type": str(version.media_type),
        "origin": str(version.origin),
        "findings": jcs.canonicalize(findings).decode(),
        "original": original,
        "text": whole,
    }


def _content(connection: Connection, tenant_id: str, document_version_id: str, column: Any) -> Any:
    mine = (_V.c.tenant_id == tenant_id, _V.c.document_version_id == document_version_id)
    return connection.execute(select(column).where(*mine)).scalar_one()


def _index(unit: Unit, tenant_id: str, document_version_id: str) -> None:
    if unit.connection.dialect.name == "sqlite":
        statement = f"INSERT INTO chunk_search (rowid, heading, text) SELECT search_id, heading, text {_THEIRS}"
    else:
        columns = "search_id, tenant_id"
        statement = f"INSERT INTO chunk_search ({columns}, words) SELECT {columns}, {WORDS} {_THEIRS}"
    unit.write(text(statement), {"tenant_id": tenant_id, "document_version_id": document_version_id})


def _unindex(unit: Unit, mine: dict[str, Any]) -> None:
    """Before the chunks go: FTS5 needs their words to find what to take away."""
    if unit.connection.dialect.name == "sqlite":
        statement = (
            "INSERT INTO chunk_search (chunk_search, rowid, heading, text)"
            f" SELECT 'delete', search_id, heading, text {_THEIRS}"
        )
    else:
        statement = f"DELETE FROM chunk_search WHERE search_id IN (SELECT search_id {_THEIRS})"  # noqa: S608
    unit.write(text(statement), mine)

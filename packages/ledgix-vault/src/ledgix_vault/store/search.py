"""Finding clauses by their words: FTS5 on SQLite, `tsvector` on PostgreSQL. Both stem English, weigh headings higher
and rank rare words above common ones; any of the words is enough.

Every query carries its tenant, and no row of another one is ever answered. (How rare a word is, SQLite counts over all
tenants of the database, which can move the order of results and nothing else.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, text

from ledgix_vault.sources.document import Chunk
from ledgix_vault.store.documents import chunk_of_row

MOST_CANDIDATES = 1_500
"""Chunks that PostgreSQL ranks for one query, found by its rarest words."""
SAMPLE = 1_000
"""Chunks in which PostgreSQL counts how rare a word is."""
_MIXED = "search_id * 2654435761 % 4294967296"
_WEIGHTS = "CAST('{0.1, 0.2, 0.5, 1.0}' AS real[])"  # of D, C, B (text) and A (headings)
_FOUND = (
    "SELECT c.*, v.document_id, v.version, v.name, v.text_hash FROM ("
    "SELECT c.tenant_id, c.document_version_id, c.ordinal, c.page, c.heading, c.begins, c.ends, c.text, c.search_id,"
    " {score} AS score FROM chunk_search JOIN document_chunk c ON c.search_id = chunk_search.{key}"
    " WHERE c.tenant_id = :tenant_id AND {matching} AND c.document_version_id IN {scope}"
    " ORDER BY score DESC, c.search_id LIMIT :limit) c"
    " JOIN document_version v ON v.tenant_id = c.tenant_id AND v.document_version_id = c.document_version_id"
    " ORDER BY c.score DESC, c.search_id"
)
_NEWEST = "(SELECT document_version_id FROM document_version WHERE tenant_id = :tenant_id AND newest)"


@dataclass(frozen=True, slots=True)
class Found:
    """A clause that was found, and where it stands. A higher score is better; scores of two queries don't compare."""

    document_id: str
    document_version_id: str
    version: int
    name: str
    text_hash: str
    ordinal: int
    chunk: Chunk
    text: str
    score: float


def search_chunks(
    connection: Connection, tenant_id: str, words: Sequence[str], *, versions: Sequence[str] | None, limit: int
) -> list[Found]:
    """The best clauses for any of `words` (letters and digits only), best first.

    Looks into these versions, or, for None, into the newest version of every document.
    """
    if not words or (versions is not None and not versions):
        return []
    scope = _NEWEST if versions is None else ":versions"
    values: dict[str, Any] = {"tenant_id": tenant_id, "limit": limit}
    if versions is not None:
        values["versions"] = list(versions)
    search = _on_sqlite if connection.dialect.name == "sqlite" else _on_postgresql
    return search(connection, words, scope, values)


def _on_sqlite(connection: Connection, words: Sequence[str], scope: str, values: dict[str, Any]) -> list[Found]:
    statement = _FOUND.format(
        score="-bm25(chunk_search, 3.0, 1.0)",
        key="rowid",
        matching="chunk_search MATCH :query",
        scope=scope,
    )
    return _rows(connection, statement, values | {"query": " OR ".join(f'"{word}"' for word in words)})


def _on_postgresql(connection: Connection, words: Sequence[str], scope: str, values: dict[str, Any]) -> list[Found]:
    weights = _rarities(connection, words, values["tenant_id"])
    if not weights:
        return []
    asked = {f"word_{number}": f"'{word}'" for number, word in enumerate(weights)}
    score = " + ".join(
        f"{rarity:.6f} * ts_rank({_WEIGHTS}, chunk_search.words, to_tsquery('english', :word_{number}), 1)"
        for number, (_, rarity) in enumerate(weights.values())
    )
    statement = _FOUND.format(
        score=score,
        key="search_id",
        matching="chunk_search.tenant_id = :tenant_id AND chunk_search.words @@ to_tsquery('english', :query)",
        scope=scope,
    )
    query = " | ".join(f"'{word}'" for word in _rarest(weights))
    return _rows(connection, statement, values | asked | {"query": query})


def _rarities(connection: Connection, words: Sequence[str], tenant_id: str) -> dict[str, tuple[float, float]]:
    """By word: about how many of the tenant's chunks have it, and its weight (inverse document frequency). Counted over
    a sample of 1,000 chunks, so exactly in a small library."""
    counts = ", ".join(
        f"count(*) FILTER (WHERE words @@ to_tsquery('english', :word_{number}))" for number in range(len(words))
    )
    sampled = (
        f"SELECT {counts}, count(*),"  # noqa: S608
        " (SELECT count(*) FROM chunk_search WHERE tenant_id = :tenant_id)"
        f" FROM (SELECT words FROM chunk_search WHERE tenant_id = :tenant_id ORDER BY {_MIXED} LIMIT {SAMPLE}) s"
    )
    asked = {f"word_{number}": f"'{word}'" for number, word in enumerate(words)}
    *found, sample, total = connection.execute(text(sampled), {"tenant_id": tenant_id} | asked).one()
    if not total:
        return {}
    return {
        word: (count * total / sample, math.log(1 + (sample - count + 0.5) / (count + 0.5)))
        for word, count in zip(words, found, strict=True)
    }


def _rarest(weights: dict[str, tuple[float, float]]) -> list[str]:
    """The rarest words, as many as stay below the bound together; at least one."""
    chosen: list[str] = []
    total = 0.0
    for word, (chunks, _) in sorted(weights.items(), key=lambda item: item[1][0]):
        total += chunks
        if chosen and total > MOST_CANDIDATES:
            break
        chosen.append(word)
    return chosen


def _rows(connection: Connection, statement: str, values: dict[str, Any]) -> list[Found]:
    prepared = text(statement)
    if "versions" in values:
        prepared = prepared.bindparams(bindparam("versions", expanding=True))
    return [
        Found(
            document_id=row.document_id,
            document_version_id=row.document_version_id,
            version=row.version,
            name=row.name,
            text_hash=row.text_hash,
            ordinal=row.ordinal,
            chunk=chunk_of_row(row),
            text=row.text,
            score=float(row.score),
        )
        for row in connection.execute(prepared, values)
    ]

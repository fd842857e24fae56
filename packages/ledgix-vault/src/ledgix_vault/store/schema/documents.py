"""Documents that policies rest on, and where they come from."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from ledgix_vault.store.schema.conventions import metadata

document_version = Table(
    "document_version",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("document_version_id", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("original_hash", Text, nullable=False),
    Column("original_size", BigInteger, nullable=False),
    Column("text_hash", Text, nullable=False),
    Column("text_length", BigInteger, nullable=False),  # in characters
    Column("pages", Integer),
    Column("chunks", Integer, nullable=False),
    Column("chunks_hash", Text, nullable=False),
    Column("findings", Text, nullable=False),
    Column("newest", Boolean, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("added_by", Text, nullable=False),
    # Last, because SQLite passes through them on its way to whatever stands behind.
    Column("original", LargeBinary, nullable=False),  # the bytes as they came
    Column("text", Text, nullable=False),  # what was read out of them; chunks are ranges of it
    PrimaryKeyConstraint("tenant_id", "document_version_id"),
    UniqueConstraint("tenant_id", "document_id", "version"),
)

document_chunk = Table(
    "document_chunk",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("document_version_id", Text, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("search_id", BigInteger, nullable=False),  # its row in `chunk_search`
    Column("page", Integer),
    Column("heading", Text, nullable=False),  # the path, one title on each line
    Column("begins", BigInteger, nullable=False),
    Column("ends", BigInteger, nullable=False),
    Column("text", Text, nullable=False),  # exactly that range of the version's text
    PrimaryKeyConstraint("tenant_id", "document_version_id", "ordinal"),
    UniqueConstraint("search_id"),
)

confluence_connection = Table(
    "confluence_connection",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("base_url", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("sealed_token", LargeBinary, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id"),
)

SEARCH_INDEX = "chunk_search"
"""The full-text index over `document_chunk`, which each engine has in its own way and only the migration makes:
an FTS5 table without content of its own on SQLite, a table with a `tsvector` on PostgreSQL."""

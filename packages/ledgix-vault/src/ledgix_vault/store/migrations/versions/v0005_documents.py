"""Documents: versions, chunks, the full-text index over them, and a tenant's connection to Confluence."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_tables()
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE chunk_search USING fts5("
            "heading, text, content='document_chunk', content_rowid='search_id',"
            " tokenize='porter unicode61 remove_diacritics 2')"
        )
    else:
        op.execute(
            "CREATE TABLE chunk_search (search_id bigint NOT NULL, tenant_id text NOT NULL, words tsvector NOT NULL,"
            " CONSTRAINT pk_chunk_search PRIMARY KEY (search_id))"
        )
        op.execute("CREATE INDEX ix_chunk_search_words ON chunk_search USING gin (words)")
        op.execute(  # a tenant's chunks in an order that mixes its documents: the first thousand are a fair sample
            "CREATE INDEX ix_chunk_search_mixed ON chunk_search (tenant_id, (search_id * 2654435761 % 4294967296))"
        )


def _create_tables() -> None:
    op.create_table(
        "confluence_connection",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("sealed_token", sa.LargeBinary(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_confluence_connection")),
    )
    op.create_table(
        "document_chunk",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("document_version_id", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("search_id", sa.BigInteger(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("begins", sa.BigInteger(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "document_version_id", "ordinal", name=op.f("pk_document_chunk")),
        sa.UniqueConstraint("search_id", name=op.f("uq_document_chunk_search_id")),
    )
    op.create_table(
        "document_version",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("document_version_id", sa.Text(), nullable=False),
        sa.Column("document_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("original_hash", sa.Text(), nullable=False),
        sa.Column("original_size", sa.BigInteger(), nullable=False),
        sa.Column("text_hash", sa.Text(), nullable=False),
        sa.Column("text_length", sa.BigInteger(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("chunks_hash", sa.Text(), nullable=False),
        sa.Column("findings", sa.Text(), nullable=False),
        sa.Column("newest", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("original", sa.LargeBinary(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "document_version_id", name=op.f("pk_document_version")),
        sa.UniqueConstraint(
            "tenant_id", "document_id", "version", name=op.f("uq_document_version_tenant_id_document_id_version")
        ),
    )

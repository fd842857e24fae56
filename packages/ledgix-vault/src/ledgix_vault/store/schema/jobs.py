"""What is to be done later, and what was answered before."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

from ledgix_vault.store.schema.conventions import metadata

job = Table(
    "job",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("leased_until", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "job_id"),
)
Index("ix_job_due", job.c.due_at)

idempotency = Table(
    "idempotency",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("scope", LargeBinary, nullable=False),  # SHA-256 over key id, method, path and the caller's key
    Column("body_hash", LargeBinary, nullable=False),
    Column("reference", Text, nullable=False),  # where the outcome is, never a secret
    Column("remembered_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "scope"),
    sqlite_with_rowid=False,
)
Index("ix_idempotency_age", idempotency.c.remembered_at)

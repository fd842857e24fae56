"""Tenants, their API keys, their judge and what is suspended."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from ledgix_vault.store.schema.conventions import metadata

tenant = Table(
    "tenant",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("settings", Text, nullable=False),  # ReviewSettings as JSON
    Column("snapshot_number", Integer, nullable=False),  # grows with every change of what decides
    PrimaryKeyConstraint("tenant_id"),
    UniqueConstraint("name"),
)

api_key = Table(
    "api_key",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("agent_ids", Text, nullable=False),
    Column("lineage", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("expires_at", BigInteger),  # null: never
    Column("last_used_at", BigInteger),  # about a minute behind; no fact of the ledger
    PrimaryKeyConstraint("tenant_id", "key_id"),
    UniqueConstraint("secret_hash"),
)

judge_setting = Table(
    "judge_setting",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("settings", Text, nullable=False),  # JudgeSettings as JSON, without the key
    Column("sealed_key", LargeBinary, nullable=False),  # encrypted; empty for a server without keys
    PrimaryKeyConstraint("tenant_id"),
)

suspension = Table(
    "suspension",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("suspension_id", Text, nullable=False),
    Column("kind", Text, nullable=False),  # agent | tool | tenant
    Column("subject", Text, nullable=False),  # an id or a pattern; empty for the tenant
    Column("reason", Text, nullable=False),
    Column("suspended_at", BigInteger, nullable=False),
    Column("suspended_by", Text, nullable=False),
    Column("released_at", BigInteger),
    Column("released_by", Text, nullable=False),
    Column("release_reason", Text, nullable=False),
    PrimaryKeyConstraint("tenant_id", "suspension_id"),
)
Index(
    "uq_suspension_standing",
    suspension.c.tenant_id,
    suspension.c.kind,
    suspension.c.subject,
    unique=True,
    sqlite_where=suspension.c.released_at.is_(None),
    postgresql_where=suspension.c.released_at.is_(None),
)

"""Policies and the tools that they are about."""

from sqlalchemy import BigInteger, Column, Index, Integer, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from ledgix_vault.store.schema.conventions import metadata

tool_schema = Table(
    "tool_schema",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("tool_name", Text, nullable=False),
    Column("json_schema", Text, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "tool_name"),
)

policy_version = Table(
    "policy_version",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("policy_version_id", Text, nullable=False),
    Column("policy_id", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("registered_at", BigInteger, nullable=False),
    Column("registered_by", Text, nullable=False),
    Column("state", Text, nullable=False),  # draft | confirmed | active | shadow | retired
    Column("authors", Text, nullable=False),  # who wrote it, as JSON: the first keys of rotation chains
    Column("confirmed_at", BigInteger),
    Column("confirmed_by", Text),
    Column("confirmation_hash", Text),
    Column("activated_at", BigInteger),
    Column("activated_by", Text),
    Column("replaced", Text),  # the version that was active when this one was activated
    PrimaryKeyConstraint("tenant_id", "policy_version_id"),
    UniqueConstraint("tenant_id", "policy_id", "version"),
)
Index(
    "uq_policy_version_active",
    policy_version.c.tenant_id,
    policy_version.c.policy_id,
    unique=True,
    sqlite_where=policy_version.c.state == "active",
    postgresql_where=policy_version.c.state == "active",
)
Index(
    "uq_policy_version_shadow",
    policy_version.c.tenant_id,
    policy_version.c.policy_id,
    unique=True,
    sqlite_where=policy_version.c.state == "shadow",
    postgresql_where=policy_version.c.state == "shadow",
)

"""Requests with their decisions, reviews and outcomes, and how many there were."""

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

clearance = Table(
    "clearance",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("key_lineage", Text, nullable=False),  # who asked: the first key of the rotation chain
    Column("requested_at", BigInteger, nullable=False),
    Column("request", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("original_request_id", Text),
    Column("depth", Integer, nullable=False),  # of delegation; 0 for a call of its own
    Column("jti", Text),  # the token's fixed facts; the token itself is never stored
    Column("kid", Text),
    Column("issued_at", BigInteger),  # whole seconds, as in the token
    Column("expires_at", BigInteger),  # whole seconds, as in the token
    Column("pick_up_until", BigInteger),  # a reviewed approval must be fetched before
    Column("consumed_at", BigInteger),
    Column("session_hash", LargeBinary),  # SHA-256 of the session's id, null without one
    # What people search by, out of request and decision; see `store.found_by`.
    Column("tool_name", Text, nullable=False),
    Column("agent_id", Text, nullable=False),
    Column("parent_jti", Text),
    Column("policy_id", Text, nullable=False),
    Column("reason_code", Text, nullable=False),
    Column("decided_by", Text, nullable=False),  # engine | judge | person | key | system
    PrimaryKeyConstraint("tenant_id", "request_id"),
    UniqueConstraint("tenant_id", "jti"),
)
Index("ix_clearance_session", clearance.c.tenant_id, clearance.c.session_hash, clearance.c.requested_at)
Index(
    "ix_clearance_search",  # everything that a search without text looks at
    clearance.c.tenant_id,
    clearance.c.requested_at,
    clearance.c.request_id,
    clearance.c.outcome,
    clearance.c.tool_name,
    clearance.c.agent_id,
    clearance.c.policy_id,
    clearance.c.reason_code,
    clearance.c.decided_by,
)
Index(
    "ix_clearance_mints",
    clearance.c.tenant_id,
    clearance.c.original_request_id,
    sqlite_where=clearance.c.original_request_id.is_not(None),
    postgresql_where=clearance.c.original_request_id.is_not(None),
)
Index(
    "ix_clearance_children",
    clearance.c.tenant_id,
    clearance.c.parent_jti,
    sqlite_where=clearance.c.parent_jti.is_not(None),
    postgresql_where=clearance.c.parent_jti.is_not(None),
)

request_total = Table(
    "request_total",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("dimension", Text, nullable=False),  # all | tool | agent | time
    Column("hour", Integer, nullable=False),  # since the Unix epoch, of asking
    Column("name", Text, nullable=False),  # of the tool, the agent or the bound of time; empty for all
    Column("outcome", Text, nullable=False),  # empty for times
    Column("decided_by", Text, nullable=False),  # empty for tools and agents; engine | judge for times
    Column("requests", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "dimension", "hour", "name", "outcome", "decided_by"),
    sqlite_with_rowid=False,
)

review = Table(
    "review",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("quorum", Integer, nullable=False),
    Column("decided_at", BigInteger),
    Column("decided_by", Text),
    Column("review_reason", Text, nullable=False),
    Column("tool_hash", LargeBinary, nullable=False),  # SHA-256 of the tool's name
    Column("quorum_roles", Text, nullable=False),  # roles of which each must approve
    Column("second_requests", Text, nullable=False),  # who asked for one more reviewer, as JSON
    Column("escalated_at", BigInteger),
    PrimaryKeyConstraint("tenant_id", "request_id"),
)
Index("ix_review_queue", review.c.tenant_id, review.c.status, review.c.opened_at, review.c.request_id)
Index("ix_review_tool", review.c.tenant_id, review.c.tool_hash, review.c.status, review.c.decided_at)

review_vote = Table(
    "review_vote",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("voter", Text, nullable=False),
    Column("review_reason", Text, nullable=False),
    Column("voted_at", BigInteger, nullable=False),
    Column("role", Text, nullable=False),  # in which the voter acted, "" for a key
    PrimaryKeyConstraint("tenant_id", "request_id", "voter"),
)

outcome_report = Table(
    "outcome_report",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("outcome", Text, nullable=False),  # delivered | refused | unknown
    Column("detail", Text, nullable=False),  # as JSON: it may hold any character
    Column("reported_at", BigInteger, nullable=False),
    Column("reported_by", Text, nullable=False),
    Column("retried_as", Text, nullable=True),  # the one request that was minted after `unknown`
    PrimaryKeyConstraint("tenant_id", "request_id"),
)

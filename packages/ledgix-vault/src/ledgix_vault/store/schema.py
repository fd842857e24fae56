"""The tables, once, for both engines. Alembic's migrations must arrive at exactly this (a test compares them).

Conventions: ids are text (UUIDs, RFC 7638 thumbprints), moments are integers of microseconds since the Unix epoch,
hashes and signatures are raw bytes, JSON is text in RFC 8785 form. Every table but `tenant`, `signing_key` and those of
people (`person`, `session`), who may belong to several tenants, starts its key with `tenant_id`, and no query takes an
id without it.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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

person = Table(
    "person",
    metadata,
    Column("person_id", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("password_hash", Text, nullable=False),  # "" for who signs in another way
    Column("created_at", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    PrimaryKeyConstraint("person_id"),
    UniqueConstraint("email"),
)

membership = Table(
    "membership",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("joined_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "person_id"),
)
Index("ix_membership_person_id", membership.c.person_id)

session = Table(
    "session",
    metadata,
    Column("session_id", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("tenant_id", Text, nullable=False),  # for which the person acts; they may switch
    Column("assurance", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("last_seen_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("device", Text, nullable=False),  # what the browser says it is, as JSON
    Column("confirmed_at", BigInteger),  # when the person last showed here who they are
    Column("tenant_only", Boolean, nullable=False),  # known to this tenant alone, by its own single sign-on
    PrimaryKeyConstraint("session_id"),
    UniqueConstraint("secret_hash"),
)
Index("ix_session_person_id", session.c.person_id)

invitation = Table(
    "invitation",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("invitation_id", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("invited_by", Text, nullable=False),
    Column("invited_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),  # accepted or withdrawn
    Column("joined", Text, nullable=False),  # the person who accepted it, "" for nobody
    PrimaryKeyConstraint("tenant_id", "invitation_id"),
    UniqueConstraint("secret_hash"),
)

ceremony = Table(
    "ceremony",
    metadata,
    Column("secret_hash", LargeBinary, nullable=False),
    Column("kind", Text, nullable=False),  # half_session | new_passkey | passkey | single_sign_on
    Column("person_id", Text, nullable=False),  # "" while nobody is known
    Column("tenant_id", Text, nullable=False),  # "" while it is about none
    Column("content", Text, nullable=False),  # as JSON: what must come back, and never leaves the Vault
    Column("expires_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("secret_hash"),
)
Index("ix_ceremony_expires_at", ceremony.c.expires_at)

totp = Table(
    "totp",
    metadata,
    Column("person_id", Text, nullable=False),
    Column("sealed_secret", LargeBinary, nullable=False),  # encrypted
    Column("started_at", BigInteger, nullable=False),
    Column("confirmed_at", BigInteger),  # by a first code; until then it is no factor
    Column("last_step", BigInteger, nullable=False),  # neither this step nor an earlier one counts again
    PrimaryKeyConstraint("person_id"),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("person_id", Text, nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    PrimaryKeyConstraint("person_id", "code_hash"),
)

passkey = Table(
    "passkey",
    metadata,
    Column("credential_id", Text, nullable=False),  # base64url
    Column("person_id", Text, nullable=False),
    Column("public_key", LargeBinary, nullable=False),  # COSE
    Column("sign_count", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("last_used_at", BigInteger),
    PrimaryKeyConstraint("credential_id"),
)
Index("ix_passkey_person_id", passkey.c.person_id)

single_sign_on = Table(
    "single_sign_on",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("settings", Text, nullable=False),  # SingleSignOn as JSON, without the secret
    Column("sealed_secret", LargeBinary, nullable=False),  # encrypted; empty for a client without one
    PrimaryKeyConstraint("tenant_id"),
)

person_identity = Table(
    "person_identity",
    metadata,
    Column("tenant_id", Text, nullable=False),  # whose provider says it
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("linked_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "issuer", "subject"),
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
    Column("dimension", Text, nullable=False),  # all | tool | agent
    Column("hour", Integer, nullable=False),  # since the Unix epoch, of asking
    Column("name", Text, nullable=False),  # of the tool or agent; empty for all
    Column("outcome", Text, nullable=False),
    Column("decided_by", Text, nullable=False),  # empty for tools and agents
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

limit_budget = Table(
    "limit_budget",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("budget", Text, nullable=False),  # SHA-256 over policy, limit, unit and shared values
    Column("policy_id", Text, nullable=False),
    Column("limit_id", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("per", Text, nullable=False),  # the shared values as JSON
    Column("window_name", Text, nullable=False),
    Column("since", BigInteger, nullable=False),  # `total` is over what was reserved after this moment
    Column("total", Text, nullable=False),  # an exact decimal
    PrimaryKeyConstraint("tenant_id", "budget"),
)
Index("ix_limit_budget_limit", limit_budget.c.tenant_id, limit_budget.c.policy_id, limit_budget.c.limit_id)

limit_use = Table(
    "limit_use",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("budget", Text, nullable=False),
    Column("amount", Text, nullable=False),  # an exact decimal
    Column("state", Text, nullable=False),  # reserved | spent | released
    Column("reserved_at", BigInteger, nullable=False),
    Column("lapses_at", BigInteger),  # from then on a reservation that isn't spent counts no more
    Column("released_at", BigInteger),
    PrimaryKeyConstraint("tenant_id", "request_id", "budget"),
)
Index("ix_limit_use_window", limit_use.c.tenant_id, limit_use.c.budget, limit_use.c.reserved_at)
Index(
    "ix_limit_use_lapses",
    limit_use.c.tenant_id,
    limit_use.c.budget,
    limit_use.c.lapses_at,
    sqlite_where=limit_use.c.state == "reserved",
    postgresql_where=limit_use.c.state == "reserved",
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

judge_setting = Table(
    "judge_setting",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("settings", Text, nullable=False),  # JudgeSettings as JSON, without the key
    Column("sealed_key", LargeBinary, nullable=False),  # encrypted; empty for a server without keys
    PrimaryKeyConstraint("tenant_id"),
)

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

log = Table(
    "log",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("key_id", Text, nullable=False),  # the ledger key that signs now
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("last_accepted_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id"),
)

event = Table(
    "event",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("leaf_index", BigInteger, nullable=False),
    Column("event_uuid", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("accepted_at", Text, nullable=False),
    Column("grounds", Text, nullable=False),  # reason, citations, evidence_chunks as JSON
    Column("intent", Text, nullable=False),  # the very bytes under intent_hash
    Column("event_hash", LargeBinary, nullable=False),
    Column("receipt_key_id", Text, nullable=False),
    Column("receipt_signature", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant_id", "leaf_index"),
    UniqueConstraint("tenant_id", "event_uuid"),
    CheckConstraint("length(event_hash) = 32", name="event_hash_length"),
)
Index("ix_event_request", event.c.tenant_id, event.c.request_id)

tile = Table(
    "tile",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("tile_index", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),  # full tiles only, written once
    PrimaryKeyConstraint("tenant_id", "level", "tile_index"),
    CheckConstraint("length(hashes) = 8192", name="hashes_length"),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("checkpoint_id", BigInteger, nullable=False),
    Column("tree_size", BigInteger, nullable=False),
    Column("root_hash", Text, nullable=False),
    Column("checkpoint_hash", Text, nullable=False),
    Column("prev_checkpoint_hash", Text, nullable=False),
    Column("signer_key_id", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("payload", LargeBinary, nullable=False),  # the very bytes under the signature
    Column("signed_at", Text, nullable=False),
    Column("mmd_seconds", Integer, nullable=False),
    PrimaryKeyConstraint("tenant_id", "checkpoint_id"),
    # Two roots for one size would be two histories.
    UniqueConstraint("tenant_id", "tree_size"),
)

signing_key = Table(
    "signing_key",
    metadata,
    Column("key_id", Text, nullable=False),  # RFC 7638 thumbprint
    Column("tenant_id", Text),  # null for the Vault's token keys
    Column("purpose", Text, nullable=False),  # token | ledger
    Column("public_key", LargeBinary, nullable=False),
    Column("active_from", BigInteger, nullable=False),
    Column("retired_at", BigInteger),
    Column("attestation_payload", LargeBinary, nullable=False),
    Column("attestation_signature", LargeBinary, nullable=False),
    Column("attestation_key_id", Text, nullable=False),
    PrimaryKeyConstraint("key_id"),
)
Index("ix_signing_key_tenant", signing_key.c.tenant_id)

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

notification_setting = Table(
    "notification_setting",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("settings", Text, nullable=False),  # NotificationSettings as JSON, without secrets
    Column("sealed", Text, nullable=False),  # the encrypted secrets in base64, by their place, as JSON
    PrimaryKeyConstraint("tenant_id"),
)

notification = Table(
    "notification",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("notification_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("happened_at", BigInteger, nullable=False),
    Column("facts", Text, nullable=False),  # as JSON: they may hold any character
    PrimaryKeyConstraint("tenant_id", "notification_id"),
)

delivery = Table(
    "delivery",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("delivery_id", Text, nullable=False),
    Column("notification_id", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("target", Text, nullable=False),  # an address, a webhook's id, or empty
    Column("state", Text, nullable=False),  # waiting | delivered | given_up | dropped
    Column("attempts", Integer, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("leased_until", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("first_tried_at", BigInteger),
    Column("last_tried_at", BigInteger),
    Column("status", Integer),  # what the other side answered last
    Column("answer", Text, nullable=False),  # as JSON: it may hold any character
    PrimaryKeyConstraint("tenant_id", "delivery_id"),
)
Index(
    "ix_delivery_due",
    delivery.c.due_at,
    sqlite_where=delivery.c.state == "waiting",
    postgresql_where=delivery.c.state == "waiting",
)
Index("ix_delivery_log", delivery.c.tenant_id, delivery.c.created_at, delivery.c.delivery_id)

slack_link = Table(
    "slack_link",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("slack_user_id", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("linked_at", BigInteger, nullable=False),
    PrimaryKeyConstraint("tenant_id", "slack_user_id"),
)

slack_code = Table(
    "slack_code",
    metadata,
    Column("tenant_id", Text, nullable=False),
    Column("code_hash", LargeBinary, nullable=False),
    Column("slack_user_id", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    PrimaryKeyConstraint("tenant_id", "code_hash"),
)

SEARCH_INDEX = "chunk_search"
"""The full-text index over `document_chunk`, which each engine has in its own way and only the migration makes:
an FTS5 table without content of its own on SQLite, a table with a `tsvector` on PostgreSQL."""

APPEND_ONLY = (event, tile, checkpoint)
"""Tables that refuse UPDATE and DELETE by trigger: it stops accidents; proofs stop attackers."""

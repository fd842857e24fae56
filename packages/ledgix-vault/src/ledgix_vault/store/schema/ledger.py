"""The logs: events, their trees, checkpoints and keys."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
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

APPEND_ONLY = (event, tile, checkpoint)
"""Tables that refuse UPDATE and DELETE by trigger: it stops accidents; proofs stop attackers."""

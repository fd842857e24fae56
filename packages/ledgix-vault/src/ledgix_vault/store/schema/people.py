"""People, how they sign in, and to which tenants they belong."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

from ledgix_vault.store.schema.conventions import metadata

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

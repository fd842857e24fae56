"""What tenants are told of, by which channels, and who is who in Slack."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, PrimaryKeyConstraint, Table, Text

from ledgix_vault.store.schema.conventions import metadata

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

"""What limits count."""

from sqlalchemy import BigInteger, Column, Index, PrimaryKeyConstraint, Table, Text

from ledgix_vault.store.schema.conventions import metadata

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

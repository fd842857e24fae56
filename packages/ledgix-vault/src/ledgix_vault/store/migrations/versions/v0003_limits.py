"""Budgets with what was reserved and spent of them, and what became of approved calls."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_budgets()
    _create_uses()
    op.create_table(
        "outcome_report",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.BigInteger(), nullable=False),
        sa.Column("reported_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "request_id", name=op.f("pk_outcome_report")),
    )


def _create_budgets() -> None:
    op.create_table(
        "limit_budget",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("policy_id", sa.Text(), nullable=False),
        sa.Column("limit_id", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("per", sa.Text(), nullable=False),
        sa.Column("window_name", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "budget", name=op.f("pk_limit_budget")),
    )
    op.create_index("ix_limit_budget_limit", "limit_budget", ["tenant_id", "policy_id", "limit_id"])


def _create_uses() -> None:
    op.create_table(
        "limit_use",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("budget", sa.Text(), nullable=False),
        sa.Column("amount", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reserved_at", sa.BigInteger(), nullable=False),
        sa.Column("lapses_at", sa.BigInteger(), nullable=True),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "request_id", "budget", name=op.f("pk_limit_use")),
    )
    op.create_index("ix_limit_use_window", "limit_use", ["tenant_id", "budget", "reserved_at"])
    op.create_index(
        "ix_limit_use_lapses",
        "limit_use",
        ["tenant_id", "budget", "lapses_at"],
        sqlite_where=sa.text("state = 'reserved'"),
        postgresql_where=sa.text("state = 'reserved'"),
    )

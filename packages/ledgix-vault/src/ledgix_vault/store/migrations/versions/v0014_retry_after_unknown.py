"""The one mint after an outcome was reported as unknown.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("outcome_report") as table:
        table.add_column(sa.Column("retried_as", sa.Text(), nullable=True))

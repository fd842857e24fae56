"""Requests are counted by how long their decision took; nobody timed those before.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "INSERT INTO request_total (tenant_id, dimension, hour, name, outcome, decided_by, requests)"
        " SELECT tenant_id, 'time', hour, '', '', '', SUM(requests) FROM request_total"
        " WHERE dimension = 'all' GROUP BY tenant_id, hour"
    )

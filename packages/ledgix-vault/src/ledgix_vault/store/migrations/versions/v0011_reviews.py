"""Reviews: roles of a quorum, requests for one more reviewer, escalation, and finding those of one tool.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("review") as table:
        table.add_column(sa.Column("tool_hash", sa.LargeBinary(), nullable=True))
        table.add_column(sa.Column("quorum_roles", sa.Text(), nullable=False, server_default=""))
        table.add_column(sa.Column("second_requests", sa.Text(), nullable=False, server_default="[]"))
        table.add_column(sa.Column("escalated_at", sa.BigInteger(), nullable=True))
    with op.batch_alter_table("review_vote") as table:
        # Only keys could vote until now, and a key has no role.
        table.add_column(sa.Column("role", sa.Text(), nullable=False, server_default=""))
    _hash_tools()
    with op.batch_alter_table("review") as table:
        table.alter_column("tool_hash", nullable=False)
        table.alter_column("quorum_roles", server_default=None)
        table.alter_column("second_requests", server_default=None)
    with op.batch_alter_table("review_vote") as table:
        table.alter_column("role", server_default=None)
    op.create_index("ix_review_tool", "review", ["tenant_id", "tool_hash", "status", "decided_at"])


def _hash_tools() -> None:
    connection = op.get_bind()
    rows = connection.execute(
        sa.text(
            "SELECT clearance.tenant_id, clearance.request_id, clearance.request FROM clearance JOIN review"
            " ON review.tenant_id = clearance.tenant_id AND review.request_id = clearance.request_id"
        )
    ).all()
    statement = sa.text("UPDATE review SET tool_hash = :hash WHERE tenant_id = :tenant AND request_id = :request")
    for tenant_id, request_id, request in rows:
        name = json.loads(request)["tool_name"]
        digest = hashlib.sha256(name.encode()).digest()
        connection.execute(statement, {"hash": digest, "tenant": tenant_id, "request": request_id})

"""Requests are found by what was asked and decided, and counted by the hour.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import sqlalchemy as sa
from alembic import op

from ledgix.formats import json

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PAGE = 1000
LONGEST_NAME = 256
HOUR = 3600 * 1_000_000
SOUGHT = ("requested_at", "request_id", "outcome", "tool_name", "agent_id", "policy_id", "reason_code", "decided_by")
ADDED = ("tool_name", "agent_id", "policy_id", "reason_code", "decided_by")


def upgrade() -> None:
    with op.batch_alter_table("clearance") as table:
        for name in ("tool_name", "agent_id"):
            table.add_column(sa.Column(name, sa.Text(), nullable=False, server_default=""))
        table.add_column(sa.Column("parent_jti", sa.Text(), nullable=True))
        for name in ("policy_id", "reason_code", "decided_by"):
            table.add_column(sa.Column(name, sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("clearance") as table:
        for name in ADDED:
            table.alter_column(name, server_default=None)
    op.create_table(
        "request_total",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "dimension", "hour", "name", "outcome", "decided_by", name=op.f("pk_request_total")
        ),
        sqlite_with_rowid=False,
    )
    _fill()
    op.create_index("ix_clearance_search", "clearance", ["tenant_id", *SOUGHT])
    for name, column in (("ix_clearance_mints", "original_request_id"), ("ix_clearance_children", "parent_jti")):
        there = sa.text(f"{column} IS NOT NULL")
        op.create_index(name, "clearance", ["tenant_id", column], sqlite_where=there, postgresql_where=there)


def _fill() -> None:
    connection = op.get_bind()
    names = ("tenant_id", "request_id", "requested_at", "request", "decision", "outcome", "parent_jti", *ADDED)
    clearance = sa.table("clearance", *(sa.column(name) for name in names))
    change = (
        sa.update(clearance)
        .where(clearance.c.tenant_id == sa.bindparam("of_tenant"), clearance.c.request_id == sa.bindparam("of_request"))
        .values({name: sa.bindparam(name) for name in (*ADDED, "parent_jti")})
    )
    totals: Counter[tuple[Any, ...]] = Counter()
    after = ("", "")
    while True:
        rows = connection.execute(
            sa.select(clearance)
            .where(sa.tuple_(clearance.c.tenant_id, clearance.c.request_id) > after)
            .order_by(clearance.c.tenant_id, clearance.c.request_id)
            .limit(PAGE)
        ).all()
        if not rows:
            break
        found = [_found_by(row) for row in rows]
        connection.execute(change, found)
        for row, by in zip(rows, found, strict=True):
            hour = row.requested_at // HOUR
            totals[row.tenant_id, "all", hour, "", row.outcome, by["decided_by"]] += 1
            totals[row.tenant_id, "tool", hour, by["tool_name"], row.outcome, ""] += 1
            totals[row.tenant_id, "agent", hour, by["agent_id"], row.outcome, ""] += 1
        after = (rows[-1].tenant_id, rows[-1].request_id)
    columns = ("tenant_id", "dimension", "hour", "name", "outcome", "decided_by", "requests")
    total = sa.table("request_total", *(sa.column(name) for name in columns))
    if totals:
        op.bulk_insert(total, [dict(zip(columns, (*key, number), strict=True)) for key, number in totals.items()])


def _found_by(row: Any) -> dict[str, Any]:
    request: Any = json.parse_object(row.request.encode(), max_depth=64)
    decision: Any = json.parse_object(row.decision.encode(), max_depth=64)
    return {
        "of_tenant": row.tenant_id,
        "of_request": row.request_id,
        "tool_name": _searchable(request["tool_name"]),
        "agent_id": _searchable(request["agent_id"]),
        "parent_jti": _id_or_none(request["parent_jti"]),
        "policy_id": _searchable(decision["policy_id"] or ""),
        "reason_code": decision["reason_code"] or "",
        "decided_by": decision["decider"]["type"],
    }


def _searchable(name: str) -> str:
    return name[:LONGEST_NAME].replace("\0", "\ufffd")


def _id_or_none(jti: str | None) -> str | None:
    is_id = jti is not None and re.fullmatch(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", jti) is not None
    return jti if is_id else None

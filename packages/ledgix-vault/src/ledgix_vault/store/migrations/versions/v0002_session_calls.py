"""Earlier calls of a session are found by the hash of its id."""

from hashlib import sha256

import sqlalchemy as sa
from alembic import op

from ledgix.formats import json

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PAGE = 1000


def upgrade() -> None:
    with op.batch_alter_table("clearance") as batch:
        batch.add_column(sa.Column("session_hash", sa.LargeBinary(), nullable=True))
        batch.create_index("ix_clearance_session", ["tenant_id", "session_hash", "requested_at"], unique=False)
    _fill()


def _fill() -> None:
    connection = op.get_bind()
    clearance = sa.table(
        "clearance", sa.column("tenant_id"), sa.column("request_id"), sa.column("request"), sa.column("session_hash")
    )
    after = ""
    while True:
        rows = connection.execute(
            sa.select(clearance.c.tenant_id, clearance.c.request_id, clearance.c.request)
            .where(clearance.c.request_id > after)
            .order_by(clearance.c.request_id)
            .limit(PAGE)
        ).all()
        if not rows:
            return
        for row in rows:
            session_id = str(json.parse_object(row.request.encode(), max_depth=64)["session_id"])
            if session_id:
                connection.execute(
                    sa.update(clearance)
                    .where(clearance.c.tenant_id == row.tenant_id, clearance.c.request_id == row.request_id)
                    .values(session_hash=sha256(session_id.encode()).digest())
                )
        after = rows[-1].request_id

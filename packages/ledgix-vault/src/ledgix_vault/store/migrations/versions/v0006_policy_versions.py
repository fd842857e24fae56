"""Policy versions have a state, and say who wrote, confirmed and activated them.

Until now a version was registered, confirmed and activated in one step by one key, each in place of the one before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NEW = (
    sa.Column("authors", sa.Text(), nullable=True),
    sa.Column("confirmed_at", sa.BigInteger(), nullable=True),
    sa.Column("confirmed_by", sa.Text(), nullable=True),
    sa.Column("confirmation_hash", sa.Text(), nullable=True),
    sa.Column("activated_at", sa.BigInteger(), nullable=True),
    sa.Column("activated_by", sa.Text(), nullable=True),
    sa.Column("replaced", sa.Text(), nullable=True),
)
# An id has no character that JSON would escape.
_FILL = """
    UPDATE policy_version SET
        state = CASE WHEN active THEN 'active' ELSE 'retired' END,
        authors = '["' || coalesce(
            (SELECT lineage FROM api_key
             WHERE api_key.tenant_id = policy_version.tenant_id AND key_id = policy_version.registered_by),
            registered_by) || '"]',
        confirmed_at = registered_at, confirmed_by = registered_by,
        activated_at = registered_at, activated_by = registered_by,
        replaced = (SELECT before.policy_version_id FROM policy_version AS before
                    WHERE before.tenant_id = policy_version.tenant_id
                    AND before.policy_id = policy_version.policy_id
                    AND before.version = policy_version.version - 1)
"""


def upgrade() -> None:
    with op.batch_alter_table("policy_version") as table:
        table.add_column(sa.Column("state", sa.Text(), nullable=True))
        for column in _NEW:
            table.add_column(column)
    op.execute(_FILL)
    op.drop_index("uq_policy_version_active", table_name="policy_version")
    with op.batch_alter_table("policy_version") as table:
        table.alter_column("state", existing_type=sa.Text(), nullable=False)
        table.alter_column("authors", existing_type=sa.Text(), nullable=False)
        table.drop_column("active")
    for state in ("active", "shadow"):
        where = sa.text(f"state = '{state}'")
        op.create_index(
            f"uq_policy_version_{state}",
            "policy_version",
            ["tenant_id", "policy_id"],
            unique=True,
            sqlite_where=where,
            postgresql_where=where,
        )

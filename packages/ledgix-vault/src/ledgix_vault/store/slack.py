"""Who is who in Slack: links between its users and people of a tenant, and the codes by which one is made."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select, update

from ledgix_vault.store import schema
from ledgix_vault.store.unit import Unit

_L, _C = schema.slack_link, schema.slack_code


def find_linked_person(connection: Connection, tenant_id: str, slack_user_id: str) -> str | None:
    """The id of the person whom a Slack user is for this tenant, or None."""
    return connection.execute(
        select(_L.c.person_id).where(_L.c.tenant_id == tenant_id, _L.c.slack_user_id == slack_user_id)
    ).scalar_one_or_none()


def slack_users_of(connection: Connection, tenant_id: str, person_id: str) -> list[str]:
    """The Slack users that a person is for this tenant."""
    found = connection.execute(
        select(_L.c.slack_user_id)
        .where(_L.c.tenant_id == tenant_id, _L.c.person_id == person_id)
        .order_by(_L.c.slack_user_id)
    )
    return list(found.scalars())


def put_link(unit: Unit, tenant_id: str, slack_user_id: str, person_id: str) -> None:
    """From now on the Slack user is this person, whoever it was before."""
    remove_link(unit, tenant_id, slack_user_id)
    unit.insert(_L, (tenant_id, slack_user_id, person_id, unit.now))


def remove_link(unit: Unit, tenant_id: str, slack_user_id: str) -> None:
    """The Slack user is nobody any more."""
    unit.write(delete(_L).where(_L.c.tenant_id == tenant_id, _L.c.slack_user_id == slack_user_id))


def add_code(unit: Unit, tenant_id: str, code_hash: bytes, slack_user_id: str, expires_at: int) -> None:
    """Stores a code by its hash; codes that are over are forgotten."""
    unit.write(delete(_C).where(_C.c.tenant_id == tenant_id, _C.c.expires_at < unit.now))
    unit.insert(_C, (tenant_id, code_hash, slack_user_id, expires_at, None))


def forget_codes(unit: Unit, tenant_id: str) -> None:
    """No code of the tenant holds any more."""
    unit.write(delete(_C).where(_C.c.tenant_id == tenant_id))


def find_code(connection: Connection, tenant_id: str, code_hash: bytes, now: int) -> str | None:
    """The Slack user whom a code that still holds is for, or None."""
    return connection.execute(
        select(_C.c.slack_user_id).where(
            _C.c.tenant_id == tenant_id, _C.c.code_hash == code_hash, _C.c.expires_at > now, _C.c.used_at.is_(None)
        )
    ).scalar_one_or_none()


def use_code(unit: Unit, tenant_id: str, code_hash: bytes) -> str | None:
    """Uses a code up; the Slack user whom it was for, None for one that doesn't hold."""
    used = unit.write_returning(
        update(_C)
        .where(
            _C.c.tenant_id == tenant_id,
            _C.c.code_hash == code_hash,
            _C.c.expires_at > unit.now,
            _C.c.used_at.is_(None),
        )
        .values(used_at=unit.now)
        .returning(_C.c.slack_user_id)
    )
    return str(used[0].slack_user_id) if used else None

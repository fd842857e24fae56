"""Suspensions as rows: those that stand are part of the tenant's state, those that are over stay for the record."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select, update

from ledgix_vault.ids import is_id
from ledgix_vault.store import schema
from ledgix_vault.store.administration import raise_snapshot_number
from ledgix_vault.store.tenants import suspension_of_row
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.suspensions import Suspension

_S = schema.suspension


def add_suspension(unit: Unit, tenant_id: str, suspension: Suspension) -> None:
    """Stores a suspension; every decision from the next unit on is made under it."""
    unit.insert(
        _S,
        (
            tenant_id,
            suspension.suspension_id,
            str(suspension.kind),
            suspension.subject,
            suspension.reason,
            suspension.suspended_at,
            suspension.suspended_by,
            suspension.released_at,
            suspension.released_by,
            suspension.release_reason,
        ),
    )
    raise_snapshot_number(unit, tenant_id)


def end_suspension(unit: Unit, tenant_id: str, suspension: Suspension) -> None:
    """Writes how a suspension was released."""
    unit.write(
        update(_S)
        .where(_S.c.tenant_id == tenant_id, _S.c.suspension_id == suspension.suspension_id)
        .values(
            released_at=suspension.released_at,
            released_by=suspension.released_by,
            release_reason=suspension.release_reason,
        )
    )
    raise_snapshot_number(unit, tenant_id)


def find_suspension(connection: Connection, tenant_id: str, suspension_id: str) -> Suspension | None:
    """The tenant's suspension with this id, standing or over."""
    if not is_id(suspension_id):
        return None
    row = connection.execute(
        select(_S).where(_S.c.tenant_id == tenant_id, _S.c.suspension_id == suspension_id)
    ).one_or_none()
    return None if row is None else suspension_of_row(row)


def list_released(connection: Connection, tenant_id: str, limit: int) -> Sequence[Suspension]:
    """The suspensions that are over, newest release first."""
    rows = connection.execute(
        select(_S)
        .where(_S.c.tenant_id == tenant_id, _S.c.released_at.is_not(None))
        .order_by(_S.c.released_at.desc(), _S.c.suspension_id.desc())
        .limit(limit)
    )
    return [suspension_of_row(row) for row in rows]

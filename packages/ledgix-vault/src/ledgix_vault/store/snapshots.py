"""What moves the policy snapshot of a tenant: every change of what decides raises its number."""

from __future__ import annotations

from sqlalchemy import update

from ledgix_vault.store import schema
from ledgix_vault.store.unit import Unit


def bump_snapshot(unit: Unit, tenant_id: str) -> None:
    """Raises the snapshot's number; from the next unit on, decisions are made by the new state."""
    table = schema.tenant
    unit.write(update(table).where(table.c.tenant_id == tenant_id).values(snapshot_number=table.c.snapshot_number + 1))
    unit.tenant_changed(tenant_id)

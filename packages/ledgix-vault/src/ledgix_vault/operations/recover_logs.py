"""Recovering when the newest database is lost for good: the log goes on under a new key, and says so.

The old key never signs again: it already signed a longer history than the one that is left. The new key is attested by
it, and the first event that it signs names the checkpoint that was lost and the reason that a person gave. An auditor
who holds that checkpoint sees exactly what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sqlalchemy import update

from ledgix.formats.attestations import attest
from ledgix.formats.events import EventKind
from ledgix.formats.keys import PublicKey
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import StartRefused
from ledgix_vault.operations.steps.extends import check_extends
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store import schema
from ledgix_vault.store.high_water import Cell, HighWater
from ledgix_vault.store.signing_keys import signing_key_row
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.state import TenantState
from ledgix_vault.times import rfc3339
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class RecoveredLog:
    """A log that goes on without what is lost. `lost` is the checkpoint that nothing here contains any more."""

    tenant_name: str
    events_left: int
    lost: Cell
    new_key_id: str


def recover_logs(vault: Vault, high_water: HighWater, reason: str) -> list[RecoveredLog]:
    """Gives every log that is behind its high-water cell a new key; the logs that were recovered.

    Durable on return. A log that is not behind is left alone.
    """
    recovered = []
    for state in vault.store.tenants():
        log = vault.store.log(state.tenant_id)
        cell = high_water.read(log.key_id)
        if cell is None or _is_whole(vault, state, log.integrator.size, cell):
            continue
        fresh = vault.keys.generate()
        vault.store.run_and_wait(partial(_succeed, vault, state.tenant_id, log.key_id, fresh, cell, reason))
        recovered.append(RecoveredLog(state.name, log.integrator.size, cell, fresh.kid))
    return recovered


def _is_whole(vault: Vault, state: TenantState, size: int, cell: Cell) -> bool:
    try:
        vault.store.read_and_wait(lambda connection: check_extends(connection, state, size, cell))
    except StartRefused:
        return False
    return True


def _succeed(
    vault: Vault, tenant_id: str, old_key_id: str, fresh: PublicKey, lost: Cell, reason: str, unit: Unit
) -> Stored[None]:
    keys, log = schema.signing_key, schema.log
    attestation = attest(fresh, rfc3339(unit.now), vault.keys.private(old_key_id))
    unit.write(
        update(keys).where(keys.c.tenant_id == tenant_id, keys.c.key_id == old_key_id).values(retired_at=unit.now)
    )
    unit.insert(keys, signing_key_row(fresh, tenant_id=tenant_id, active_from=unit.now, attestation=attestation))
    unit.write(update(log).where(log.c.tenant_id == tenant_id).values(key_id=fresh.kid))
    unit.continue_log(tenant_id, fresh.kid)
    record_administration(
        unit,
        tenant_id,
        EventKind.LEDGER_RECOVERED,
        reason=reason,
        decider=SYSTEM,
        metadata={
            "lost_checkpoint_id": lost.checkpoint_id,
            "lost_tree_size": lost.tree_size,
            "lost_root_hash": lost.root_hash,
            "lost_checkpoint_hash": lost.checkpoint_hash,
            "retired_key_id": old_key_id,
            "new_key_id": fresh.kid,
        },
    )
    return Stored(None)

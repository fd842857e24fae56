"""Recovering when the newest database is lost for good: the log goes on under a new key, and says so.

The old key never signs again: it already signed a longer history than the one that is left. The new key is attested by
it, and the first event that it signs names the checkpoint that was lost and the reason that a person gave. An auditor
who holds that checkpoint sees exactly what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix.formats.attestations import attest
from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PublicKey
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import StartRefused
from ledgix_vault.operations.steps.extends import check_extends
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.administration import succeed_ledger_key
from ledgix_vault.store.high_water import Cell, HighWater
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.state import TenantState
from ledgix_vault.times import rfc3339
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class RecoveredLog:
    """A log that goes on without what is lost. `lost` is the checkpoint that nothing here contains any more; None when
    the high-water file, which would know, is lost as well."""

    tenant_name: str
    events_left: int
    lost: Cell | None
    new_key_id: str


def recover_logs(vault: Vault, high_water: HighWater, reason: str, *, cells_lost: bool = False) -> list[RecoveredLog]:
    """Gives every log that is behind its high-water cell a new key; the logs that were recovered.

    Durable on return. A log that is not behind is left alone. With `cells_lost` the high-water file is a new one, and a
    log without a cell may have signed anything: it gets a new key, too.
    """
    recovered = []
    for state in vault.store.tenants():
        log = vault.store.log(state.tenant_id)
        cell = high_water.read(log.key_id)
        if not cells_lost if cell is None else _is_whole(vault, state, log.integrator.size, cell):
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
    vault: Vault, tenant_id: str, old_key_id: str, fresh: PublicKey, lost: Cell | None, reason: str, unit: Unit
) -> Stored[None]:
    attestation = attest(fresh, rfc3339(unit.now), vault.keys.private(old_key_id))
    succeed_ledger_key(unit, tenant_id, old_key_id, fresh, attestation)
    record_administration(
        unit,
        tenant_id,
        EventKind.LEDGER_RECOVERED,
        reason=reason,
        decider=SYSTEM,
        metadata={**_loss(lost), "retired_key_id": old_key_id, "new_key_id": fresh.kid},
    )
    return Stored(None)


def _loss(lost: Cell | None) -> JsonObject:
    if lost is None:
        return {"high_water_lost": True}
    return {
        "lost_checkpoint_id": lost.checkpoint_id,
        "lost_tree_size": lost.tree_size,
        "lost_root_hash": lost.root_hash,
        "lost_checkpoint_hash": lost.checkpoint_hash,
    }

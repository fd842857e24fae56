"""Reporting what became of an approved call."""

from __future__ import annotations

from ledgix.formats.json import JsonObject
from ledgix_vault.operations.steps.reporting import Told, record_outcome
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def report_outcome(
    vault: Vault, caller: Caller, told: Told, key: IdempotencyKey | None
) -> tuple[JsonObject, bool]:
    """Records the outcome; the answer, and whether this is a replay.

    Durable on return: report, ledger event, and, where the call was refused, what budgets got back. Raises `NotFound`,
    or `Conflict` for what was never handed out or was reported otherwise.
    """
    caller.require(Scope.CONSUME)
    return await record_outcome(vault, caller, told, key)

"""Reporting what became of several approved calls. Each report is recorded by itself, with its own event."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid, VaultError
from ledgix_vault.operations.steps.reporting import Told, record_outcome
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

MOST_AT_ONCE = 100


async def report_outcomes(
    vault: Vault, caller: Caller, reports: Sequence[Told], key: IdempotencyKey | None
) -> list[JsonObject | VaultError]:
    """Records up to 100 outcomes; for each, in the order given, its answer or why it was refused, which doesn't stop
    the others. Raises `Invalid` for a wrong number of them. What was recorded is durable on return."""
    caller.require(Scope.CONSUME)
    if not 1 <= len(reports) <= MOST_AT_ONCE:
        raise Invalid(f"must be 1 to {MOST_AT_ONCE} reports", path="$.reports")
    return list(await asyncio.gather(*(_report(vault, caller, told, key, i) for i, told in enumerate(reports))))


async def _report(
    vault: Vault, caller: Caller, told: Told, key: IdempotencyKey | None, place: int
) -> JsonObject | VaultError:
    try:
        recorded, _ = await record_outcome(vault, caller, told, key.for_part(str(place)) if key is not None else None)
    except VaultError as problem:
        return problem
    return recorded

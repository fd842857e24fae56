"""Retiring a version: an active one is no longer in force, and nothing takes its place."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.operations.steps.versions import done, move, outcome, record_version, version_named
from ledgix_vault.policy.versions import PolicyVersion, VersionState
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def retire_policy_version(
    vault: Vault, caller: Caller, policy_id: str, number: int, key: IdempotencyKey | None
) -> tuple[PolicyVersion, bool]:
    """The retired version, and whether this is a replay; one that is retired already stays so without an event.

    Raises `NotFound`. Durable on return. What the policy covered is decided by the others, or by the tenant's default.
    """
    caller.require(Scope.POLICY)
    stored = await vault.store.run(partial(_retire, caller, policy_id, number), key)
    return await outcome(vault, caller, stored)


def _retire(caller: Caller, policy_id: str, number: int, unit: Unit) -> Stored[PolicyVersion]:
    version = version_named(unit, caller, policy_id, number)
    if version.state is VersionState.RETIRED:
        return done(version)
    retired = version.retired()
    move(unit, caller, version, retired)
    record_version(unit, caller, retired, EventKind.POLICY_RETIRED, f"was retired; it was {version.state}")
    return done(retired)

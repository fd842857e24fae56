"""Making a version a shadow: evaluated and recorded beside the active one, never enforced."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.operations.steps.versions import (
    check_types,
    displace,
    done,
    hash_now,
    move,
    outcome,
    record_version,
    version_named,
)
from ledgix_vault.policy.versions import PolicyVersion, VersionState
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def shadow_policy_version(
    vault: Vault, caller: Caller, policy_id: str, number: int, key: IdempotencyKey | None
) -> tuple[PolicyVersion, bool]:
    """The shadow, in place of an earlier one, which is confirmed again; and whether this is a replay.

    Raises `NotFound`, `Conflict` unless it is confirmed as it reads now, `PolicyInvalid` when it doesn't fit the
    schemas of now. Durable on return, and recorded with every decision from now on.
    """
    caller.require(Scope.POLICY)
    stored = await vault.store.run(partial(_shadow, caller, policy_id, number), key)
    return await outcome(vault, caller, stored)


def _shadow(caller: Caller, policy_id: str, number: int, unit: Unit) -> Stored[PolicyVersion]:
    version = version_named(unit, caller, policy_id, number)
    if version.state is VersionState.SHADOW:
        return done(version)
    shadow = version.shadowed(hash_now(unit, caller, version))
    check_types(unit, caller, version)
    displace(unit, caller, policy_id, VersionState.SHADOW)
    move(unit, caller, version, shadow)
    record_version(unit, caller, shadow, EventKind.POLICY_SHADOWED, "became a shadow")
    return done(shadow)

"""Going back to an earlier version of a policy, in one call.

It needs no second person and no new confirmation: the version was in force before, and whoever notices that the new one
is wrong must be able to act alone. Where a schema has changed since, its conditions are unknown for calls that they
don't fit, and a person decides those.
"""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.errors import Conflict
from ledgix_vault.operations.steps.versions import (
    active_version_id,
    by,
    displace,
    done,
    move,
    moved,
    outcome,
    record_version,
    version_named,
)
from ledgix_vault.policy.versions import PolicyVersion, VersionState
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.policies import load_version
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def roll_back_policy(
    vault: Vault, caller: Caller, policy_id: str, number: int | None, key: IdempotencyKey | None
) -> tuple[PolicyVersion, bool]:
    """The version that is active again, and whether this is a replay.

    Without `number` it is the one that was active before the active one was activated; again, the one before that.
    Raises `NotFound` for an unknown version, `Conflict` where there is none to go back to, and when somebody else
    changed what is active since the request arrived. Durable on return.
    """
    caller.require(Scope.POLICY)
    expected = await active_version_id(vault, caller, policy_id)
    stored = await vault.store.run(partial(_roll_back, caller, policy_id, number, expected), key)
    return await outcome(vault, caller, stored)


def _roll_back(
    caller: Caller, policy_id: str, number: int | None, expected: str | None, unit: Unit
) -> Stored[PolicyVersion]:
    named = None if number is None else version_named(unit, caller, policy_id, number)
    if named is not None and named.state is VersionState.ACTIVE:
        return done(named)
    before = displace(unit, caller, policy_id, VersionState.ACTIVE)
    if (None if before is None else before.version_id) != expected:
        raise moved(policy_id)
    target = named or _before(caller, policy_id, before, unit)
    active = target.brought_back(by(caller, unit))
    move(unit, caller, target, active)
    what = "was activated again" + (f" in place of version {before.version}" if before else "")
    record_version(unit, caller, active, EventKind.POLICY_ROLLED_BACK, what)
    return done(active)


def _before(caller: Caller, policy_id: str, active: PolicyVersion | None, unit: Unit) -> PolicyVersion:
    if active is None:
        raise Conflict(
            f"No version of the policy {policy_id} is active; name the one to go back to.", code="nothing_before"
        )
    if active.replaced is None:
        raise Conflict(f"{active.place} is the first that was active; none was before it.", code="nothing_before")
    return load_version(unit.connection, caller.tenant_id, active.replaced)

"""Activating a confirmed version: from the commit on every decision is made by it."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.operations.steps.versions import (
    active_version_id,
    by,
    check_types,
    displace,
    done,
    hash_now,
    move,
    moved,
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


async def activate_policy_version(
    vault: Vault, caller: Caller, policy_id: str, number: int, key: IdempotencyKey | None
) -> tuple[PolicyVersion, bool]:
    """The active version, and whether this is a replay; one that is active already stays so without an event.

    Raises `NotFound`; `Conflict` unless it is confirmed as it reads now, and when somebody else changed what is active
    since the request arrived; `Forbidden` for an author where the tenant asks for two people; `PolicyInvalid` when it
    doesn't fit the schemas of now. Durable on return.
    """
    caller.require(Scope.POLICY)
    expected = await active_version_id(vault, caller, policy_id)
    stored = await vault.store.run(partial(_activate, caller, policy_id, number, expected), key)
    return await outcome(vault, caller, stored)


def _activate(caller: Caller, policy_id: str, number: int, expected: str | None, unit: Unit) -> Stored[PolicyVersion]:
    version = version_named(unit, caller, policy_id, number)
    if version.state is VersionState.ACTIVE:
        return done(version)
    two_people = unit.tenant(caller.tenant_id).settings.two_person_activation
    reads = hash_now(unit, caller, version)
    active = version.activated(by(caller, unit), reads, expected, two_people=two_people)
    check_types(unit, caller, version)
    before = displace(unit, caller, policy_id, VersionState.ACTIVE)
    if (None if before is None else before.version_id) != expected:
        raise moved(policy_id)
    move(unit, caller, version, active)
    record_version(unit, caller, active, EventKind.POLICY_ACTIVATED, "was activated")
    return done(active)

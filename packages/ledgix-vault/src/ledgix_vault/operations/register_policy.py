"""Registering a policy: sentences and rules in, an immutable version out, active at once.

Where the tenant asks for two people it stays a draft, and what was active stays active.
"""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.drafting import Registration, check_policy_id, compile_policy
from ledgix_vault.operations.steps.versions import by, displace, done, hash_now, outcome, record_version
from ledgix_vault.policy.versions import PolicyVersion, VersionState
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.policies import add_version, next_version
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

__all__ = ["Registration", "register_policy"]


async def register_policy(
    vault: Vault, caller: Caller, registration: Registration, key: IdempotencyKey | None
) -> tuple[PolicyVersion, bool]:
    """Compiles, stores, confirms and activates a new version; the version, and whether this is a replay.

    Raises `PolicyInvalid` naming every problem with its line and column; then nothing changes. Durable on return, and
    every decision from now on is made by it, unless its `state` says that it waits for a second person.
    """
    caller.require(Scope.POLICY)
    check_policy_id(registration.policy_id)
    stored = await vault.store.run(partial(_register, caller, registration), key)
    return await outcome(vault, caller, stored)


def _register(caller: Caller, registration: Registration, unit: Unit) -> Stored[PolicyVersion]:
    tenant_id, policy_id = caller.tenant_id, registration.policy_id
    document = compile_policy(unit, tenant_id, registration)
    number = next_version(unit, tenant_id, policy_id)
    draft = PolicyVersion.drafted(document, new_id(), number, by(caller, unit))
    if unit.tenant(tenant_id).settings.two_person_activation:
        add_version(unit, tenant_id, draft)
        record_version(unit, caller, draft, EventKind.POLICY_DRAFTED, "was drafted")
        return done(draft)
    before = displace(unit, caller, policy_id, VersionState.ACTIVE)
    now_reads = hash_now(unit, caller, draft)
    replaced = None if before is None else before.version_id
    active = draft.confirmed(by(caller, unit), now_reads).activated(
        by(caller, unit), now_reads, replaced, two_people=False
    )
    add_version(unit, tenant_id, active)
    record_version(unit, caller, active, EventKind.POLICY_ACTIVATED, "was registered, confirmed and activated")
    return done(active)

"""Drafting a version of a policy: compiled and stored, but nothing is decided by it."""

from __future__ import annotations

from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.drafting import Registration, check_policy_id, compile_policy
from ledgix_vault.operations.steps.versions import by, done, outcome, record_version
from ledgix_vault.policy.versions import PolicyVersion
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.policies import add_version, next_version
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


async def draft_policy_version(
    vault: Vault, caller: Caller, registration: Registration, key: IdempotencyKey | None
) -> tuple[PolicyVersion, bool]:
    """Compiles and stores a new version; the version, and whether this is a replay.

    Raises `PolicyInvalid` naming every problem with its line and column. Durable on return.
    """
    caller.require(Scope.POLICY)
    check_policy_id(registration.policy_id)
    stored = await vault.store.run(partial(_draft, caller, registration), key)
    return await outcome(vault, caller, stored)


def _draft(caller: Caller, registration: Registration, unit: Unit) -> Stored[PolicyVersion]:
    tenant_id = caller.tenant_id
    document = compile_policy(unit, tenant_id, registration)
    number = next_version(unit, tenant_id, registration.policy_id)
    draft = PolicyVersion.drafted(document, new_id(), number, by(caller, unit))
    add_version(unit, tenant_id, draft)
    record_version(unit, caller, draft, EventKind.POLICY_DRAFTED, "was drafted")
    return done(draft)

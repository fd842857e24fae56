"""What a policy as it is written would become, before anything is stored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ledgix_vault.operations.steps.drafting import Registration, check_policy_id, compile_against
from ledgix_vault.policy.english import Understanding, understand
from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class CheckedDraft:
    """The document that drafting would store, and what was made of each of its sentences, in order."""

    document: PolicyDocument
    understandings: tuple[Understanding, ...]


async def check_policy_draft(vault: Vault, caller: Caller, registration: Registration) -> CheckedDraft:
    """Raises what drafting it would raise: `PolicyInvalid` with every problem, `Invalid` for an unknown document."""
    caller.require(Scope.POLICY)
    check_policy_id(registration.policy_id)
    state = vault.store.tenant(caller.tenant_id)
    document = await vault.store.read(lambda connection: compile_against(connection, state, registration))
    schemas, tools = state.snapshot.schemas, registration.tools
    found = await asyncio.to_thread(understand, registration.sentences, tools, schemas)
    return CheckedDraft(document, tuple(found))

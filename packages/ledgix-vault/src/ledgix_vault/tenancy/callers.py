"""Who calls: a program by its API key, or a signed-in person. Operations ask both the same questions."""

from __future__ import annotations

from collections.abc import Iterable

from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.people import Member, Role
from ledgix_vault.tenancy.scopes import Scope

Caller = ApiKey | Member


def require_key_management(caller: Caller) -> None:
    """MissingScope unless the caller may create, rotate and revoke API keys: who has `settings`, and developers."""
    if isinstance(caller, Member) and caller.role is Role.DEVELOPER:
        return
    caller.require(Scope.SETTINGS)


def may_read_policies(caller: Caller) -> bool:
    """Whether the caller may read what policies say: who writes them, and who reads the full ledger, which cites them.
    The redacted view is not enough: it would tell an agent how far it may go."""
    return caller.allows(Scope.POLICY) or caller.allows(Scope.LEDGER_FULL)


def require_reading_policies(caller: Caller) -> None:
    """MissingScope, naming `policy`, unless the caller may read policies."""
    caller.require_any(Scope.POLICY, Scope.LEDGER_FULL)


def require_own_agents(caller: Caller, agent_ids: Iterable[str]) -> None:
    """Forbidden unless a key for these agents speaks for none that the caller may not speak for."""
    if isinstance(caller, ApiKey):
        caller.require_no_more_agents(agent_ids)


def require_own(caller: Caller, scopes: Iterable[Scope]) -> None:
    """MissingScope, naming the first, unless the caller has all of these: nobody hands out what they lack."""
    for scope in sorted(scopes):
        caller.require(scope)

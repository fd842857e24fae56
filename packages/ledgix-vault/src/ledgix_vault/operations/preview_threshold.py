"""What another confidence threshold would have done last week, from what was recorded then."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix_vault.clearance.thresholds import Effects, effects_of
from ledgix_vault.store.decisions_made import decisions_since
from ledgix_vault.store.engine import Connection
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.vault import Vault

DAYS = 7
MOST = 20_000
"""Decisions that are looked at, the newest ones."""
LIMITS = (
    "Every request keeps the confidence and the verdict that it had then; a policy that changed since is not asked.",
    "What budgets had left stays as it was: a call that waits for a person takes its share like an approval, and gives"
    " it back when it comes to nothing, so later calls might have found more room.",
    "Whether a judge was asked, and what it answered, stays as it was; calls that a judge left to a person stay there.",
    "Approvals by minting a token again are not counted.",
)


@dataclass(frozen=True, slots=True)
class Preview:
    """`since` in microseconds; `complete` says whether all decisions since then were looked at, not the newest only."""

    since: int
    complete: bool
    effects: Effects


async def preview_threshold(vault: Vault, caller: Caller) -> Preview:
    """The last seven days of the caller's tenant, under each threshold."""
    caller.require(Scope.SETTINGS)
    since = vault.clock() - DAYS * 24 * 3600 * MICROSECONDS

    def read(connection: Connection) -> Preview:
        made, complete = decisions_since(connection, caller.tenant_id, since, MOST)
        return Preview(since, complete, effects_of(made))

    return await vault.store.read(read)

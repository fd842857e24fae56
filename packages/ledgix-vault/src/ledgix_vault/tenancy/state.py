"""Everything about a tenant that a decision needs, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix_vault.notices.settings import NO_NOTIFICATIONS, NotificationSettings
from ledgix_vault.policy.snapshot import Snapshot
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.judge_settings import NO_JUDGE, JudgeSettings
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.tenancy.sign_on import NO_SINGLE_SIGN_ON, SingleSignOn
from ledgix_vault.tenancy.suspensions import Suspension, first_that_stops


@dataclass(frozen=True, slots=True)
class TenantState:
    """A tenant as of one transaction. Replaced as a whole when anything in it changes."""

    tenant_id: str
    name: str
    settings: ReviewSettings
    snapshot: Snapshot
    keys: tuple[ApiKey, ...]
    key_hashes: tuple[bytes, ...]  # secret hashes, in the order of `keys`
    judge: JudgeSettings = NO_JUDGE
    single_sign_on: SingleSignOn = NO_SINGLE_SIGN_ON
    notifications: NotificationSettings = NO_NOTIFICATIONS
    suspensions: tuple[Suspension, ...] = ()  # those that stand, oldest first

    def suspension_of(self, agent_id: str, tool_name: str) -> Suspension | None:
        """What stops calls of this tool by this agent, if anything does."""
        return first_that_stops(self.suspensions, agent_id, tool_name) if self.suspensions else None

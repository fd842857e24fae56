"""Everything about a tenant that a decision needs, as one value."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix_vault.policy.snapshot import Snapshot
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.judge_settings import NO_JUDGE, JudgeSettings
from ledgix_vault.tenancy.settings import ReviewSettings


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

"""What changes between two versions of a policy."""

from __future__ import annotations

from functools import partial

from ledgix_vault.errors import NotFound
from ledgix_vault.policy.difference import Difference, difference
from ledgix_vault.policy.versions import PolicyVersion
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.policies import find_version
from ledgix_vault.tenancy.callers import Caller, require_reading_policies
from ledgix_vault.vault import Vault


async def compare_policy_versions(
    vault: Vault, caller: Caller, policy_id: str, before: int, after: int
) -> tuple[PolicyVersion, PolicyVersion, Difference]:
    """Both versions, and what the second changes of the first; raises `NotFound`."""
    require_reading_policies(caller)
    one, other = await vault.store.read(
        partial(_both, tenant_id=caller.tenant_id, policy_id=policy_id, numbers=(before, after))
    )
    return one, other, difference(one.document, other.document)


def _both(
    connection: Connection, tenant_id: str, policy_id: str, numbers: tuple[int, int]
) -> tuple[PolicyVersion, PolicyVersion]:
    one, other = (find_version(connection, tenant_id, policy_id, number) for number in numbers)
    if one is None or other is None:
        missing = numbers[0] if one is None else numbers[1]
        raise NotFound(f"There is no version {missing} of such a policy.")
    return one, other

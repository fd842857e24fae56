"""Reading policies: which there are, their versions, what changes between two, and what a shadow would have said."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import NotFound
from ledgix_vault.policy.versions import PolicyVersion, VersionState
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.policies import (
    LARGEST_VERSION,
    find_version,
    find_version_in,
    list_policies,
    list_versions,
)
from ledgix_vault.store.shadows import Compared, became_shadow_at, compared
from ledgix_vault.tenancy.callers import Caller, require_reading_policies
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault

MOST_VERSIONS = 500
MOST_COMPARED = 10_000
EXAMPLES = 5
"""Request ids that a report names for each kind of difference."""


@dataclass(frozen=True, slots=True)
class PolicySummary:
    """A policy as the list shows it."""

    newest: PolicyVersion
    active: PolicyVersion | None
    shadow: PolicyVersion | None


async def read_policy_list(vault: Vault, caller: Caller) -> list[PolicySummary]:
    """All policies of the tenant, by policy id."""
    require_reading_policies(caller)
    found = await vault.store.read(partial(list_policies, tenant_id=caller.tenant_id))
    by_id: dict[str, list[PolicyVersion]] = {}
    for version in found:
        by_id.setdefault(version.policy_id, []).append(version)
    return [_summary(versions) for versions in by_id.values()]


async def read_policy(vault: Vault, caller: Caller, policy_id: str) -> PolicySummary:
    """One policy; raises `NotFound`."""
    for summary in await read_policy_list(vault, caller):
        if summary.newest.policy_id == policy_id:
            return summary
    raise NotFound("There is no such policy.")


async def read_versions(
    vault: Vault, caller: Caller, policy_id: str, *, limit: int, before: int | None
) -> list[PolicyVersion]:
    """The policy's versions, newest first, those below `before`; raises `NotFound` for an unknown policy."""
    require_reading_policies(caller)
    found = await vault.store.read(
        partial(
            list_versions,
            tenant_id=caller.tenant_id,
            policy_id=policy_id,
            before=before or LARGEST_VERSION,
            limit=max(1, min(limit, MOST_VERSIONS)),
        )
    )
    if not found:
        await read_version(vault, caller, policy_id, 1)
    return found


async def read_version(vault: Vault, caller: Caller, policy_id: str, number: int) -> PolicyVersion:
    """One version; raises `NotFound`."""
    require_reading_policies(caller)
    return await vault.store.read(partial(_find, tenant_id=caller.tenant_id, policy_id=policy_id, number=number))


async def shadow_report(vault: Vault, caller: Caller, policy_id: str, *, number: int | None, last: int) -> JsonObject:
    """How the shadow, or the version that was one, would have decided the newest requests beside which it was
    evaluated: where it agrees, and each kind of difference with examples. Raises `NotFound`."""
    caller.require(Scope.POLICY)
    wanted = max(1, min(last, MOST_COMPARED))
    return await vault.store.read(
        partial(_report, tenant_id=caller.tenant_id, policy_id=policy_id, number=number, last=wanted)
    )


def _report(connection: Connection, tenant_id: str, policy_id: str, number: int | None, last: int) -> JsonObject:
    if number is not None:
        version = _find(connection, tenant_id, policy_id, number)
    else:
        found = find_version_in(connection, tenant_id, policy_id, VersionState.SHADOW)
        if found is None:
            raise NotFound("No version of this policy is a shadow; name the one that was.", code="no_shadow")
        version = found
    began = became_shadow_at(connection, tenant_id, version.version_id)
    if began is None:
        raise NotFound(f"{version.place} was never a shadow.", code="no_shadow")
    place, since = began
    return _counted(version, since, list(compared(connection, tenant_id, version.version_id, place, last)))


def _counted(version: PolicyVersion, since: str, requests: list[Compared]) -> JsonObject:
    differing: dict[tuple[str, str], list[Compared]] = {}
    for request in requests:
        if request.decided != request.shadow:
            differing.setdefault((request.decided, request.shadow), []).append(request)
    differences: list[Json] = [
        {
            "decided": decided,
            "shadow": shadow,
            "count": len(found),
            "tools": [*sorted({each.tool_name for each in found})],
            "request_ids": [each.request_id for each in found[:EXAMPLES]],
        }
        for (decided, shadow), found in sorted(differing.items())
    ]
    differed = sum(len(found) for found in differing.values())
    return {
        "policy_id": version.policy_id,
        "policy_version_id": version.version_id,
        "version": version.version,
        "state": str(version.state),
        "since": since,
        "evaluated": len(requests),
        "agreed": len(requests) - differed,
        "differed": differed,
        "differences": differences,
    }


def _find(connection: Connection, tenant_id: str, policy_id: str, number: int) -> PolicyVersion:
    found = find_version(connection, tenant_id, policy_id, number)
    if found is None:
        raise NotFound(f"There is no version {number} of such a policy.")
    return found


def _summary(versions: list[PolicyVersion]) -> PolicySummary:
    in_state = {version.state: version for version in versions}
    return PolicySummary(versions[0], in_state.get(VersionState.ACTIVE), in_state.get(VersionState.SHADOW))

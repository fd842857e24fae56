"""Whether a call may be retried, as of this moment: what its report, its policy and the clock say."""

from __future__ import annotations

from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.reports import Report
from ledgix_vault.clearance.retries import Retry, retry_of
from ledgix_vault.policy.globs import covers
from ledgix_vault.policy.snapshot import Snapshot
from ledgix_vault.store.engine import Connection
from ledgix_vault.store.reports import find_report


def look_at_retry(
    connection: Connection, snapshot: Snapshot, original: Clearance, unknown: Report, *, now: int, window: int
) -> Retry:
    """Where the retry of `original`, whose outcome is `unknown`, stands."""
    return retry_of(
        original,
        unknown,
        is_retry=is_retry(connection, original),
        allowed=_is_allowed(snapshot, original),
        now=now,
        window=window,
    )


def is_retry(connection: Connection, clearance: Clearance) -> bool:
    """Whether this was minted because the outcome of another call is unknown."""
    first = clearance.original_request_id
    report = find_report(connection, clearance.tenant_id, first) if first is not None else None
    return report is not None and report.retried_as == clearance.request_id


def _is_allowed(snapshot: Snapshot, original: Clearance) -> bool:
    """By the policy that decided the original, in the version that is active now, if it covers the tool."""
    policy = snapshot.policy(original.decision.policy_id or "")
    if policy is None or not covers(policy.document.tools, original.request.tool_name):
        return False
    return policy.document.retry_after_unknown

"""What may be done about a call whose outcome was reported as unknown: one retry, where its policy allows it."""

from __future__ import annotations

from enum import StrEnum

from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import Outcome
from ledgix_vault.clearance.reports import Report
from ledgix_vault.times import MICROSECONDS


class Retry(StrEnum):
    """Where the one retry of a call stands. `possible` still takes policies that approve at that moment."""

    POSSIBLE = "possible"
    USED = "used"
    NOT_ALLOWED = "not_allowed"  # the policy that decided the call doesn't say `retry_after_unknown`
    OVER = "over"
    NONE = "none"  # the call is itself a retry, or its approval was cancelled or changed


def retry_of(original: Clearance, unknown: Report, *, is_retry: bool, allowed: bool, now: int, window: int) -> Retry:
    """Where the retry of `original` stands at `now` (µs), `window` seconds being the time after its report for it."""
    if is_retry or original.decision.outcome is not Outcome.APPROVED or original.decision.effective_args is not None:
        return Retry.NONE
    if unknown.retried_as is not None:
        return Retry.USED
    if not allowed:
        return Retry.NOT_ALLOWED
    return Retry.OVER if now > retry_until(unknown, window) else Retry.POSSIBLE


def retry_until(unknown: Report, window: int) -> int:
    """The last microsecond at which the retry may be minted."""
    return unknown.reported_at + window * MICROSECONDS

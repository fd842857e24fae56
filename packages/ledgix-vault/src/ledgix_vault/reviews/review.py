"""A review: a person's question that stands until a quorum answers, the asker cancels, or its time is over.

Invariants (contract sections 1, 2 and 5)
- Its end is decided once: approved, denied, expired or cancelled; never two of them.
- `expires_at` decides, not the worker: at that moment it is over, whoever notices.
- Approval takes `quorum` distinct deciders; one denial ends it.
- A denial by the key that asked is a cancel. With separation of duties that key can't approve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from ledgix.formats.json import JsonObject
from ledgix_vault.times import rfc3339


class ReviewStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Review:
    """One pending question, or how it ended. Moments are microseconds since the epoch."""

    tenant_id: str
    request_id: str
    opened_at: int
    expires_at: int
    quorum: int
    status: ReviewStatus = ReviewStatus.PENDING
    voters: tuple[str, ...] = ()  # who approved so far
    decided_at: int | None = None
    decided_by: str | None = None
    review_reason: str = ""

    def status_at(self, now: int) -> ReviewStatus:
        """Its state as time alone makes it."""
        if self.status is ReviewStatus.PENDING and now >= self.expires_at:
            return ReviewStatus.EXPIRED
        return self.status

    def with_vote(self, voter: str) -> Review:
        """One more approval; a second one by the same voter changes nothing."""
        return self if voter in self.voters else replace(self, voters=(*self.voters, voter))

    @property
    def has_quorum(self) -> bool:
        return len(self.voters) >= self.quorum

    def ended(self, status: ReviewStatus, *, now: int, by: str, reason: str) -> Review:
        """The review as it ended."""
        assert self.status is ReviewStatus.PENDING
        return replace(self, status=status, decided_at=now, decided_by=by, review_reason=reason)

    def summary(self, now: int) -> JsonObject:
        """What the review list says about the review itself."""
        return {
            "review_status": str(self.status_at(now)),
            "opened_at": rfc3339(self.opened_at),
            "expires_at": rfc3339(self.expires_at),
            "quorum": self.quorum,
            "approvals": len(self.voters),
            "decided_at": rfc3339(self.decided_at) if self.decided_at is not None else None,
            "decided_by": self.decided_by,
            "review_reason": self.review_reason,
        }

"""A review: a person's question that stands until a quorum answers, the asker cancels, or its time is over.

Invariants (contract sections 1, 2 and 5)
- Its end is decided once: approved, denied, expired or cancelled; never two of them.
- `expires_at` decides, not the worker: at that moment it is over, whoever notices.
- Approval takes `quorum` distinct deciders, among them one in each of `quorum_roles`; one denial ends it.
- A vote counts as long as its voter may vote.
- What several approve is what was asked: arguments may be changed only by who approves alone.
- A denial by whoever asked is a cancel. With separation of duties neither the asker nor the person it acts for
  approves; where the tenant asks for it, nobody who edited the deciding policy does.
- Anybody who may review may ask for one more reviewer, once. Nothing ever lowers the quorum.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import compress
from typing import Any

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Conflict
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.settings import LARGEST_QUORUM, ReviewSettings
from ledgix_vault.times import rfc3339

APPROVED_WITHOUT_REASON = "Approved in review."


class ReviewStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Vote:
    """One approval. `voter` is a person, or the first key of a rotation chain; a key has no role."""

    voter: str
    role: str
    reason: str
    voted_at: int


@dataclass(frozen=True, slots=True)
class SecondRequest:
    """Somebody wanted one more reviewer."""

    asked_by: str
    reason: str
    asked_at: int

    def to_json(self) -> JsonObject:
        return {"asked_by": self.asked_by, "reason": self.reason, "asked_at": self.asked_at}

    @classmethod
    def from_json(cls, stored: Any) -> SecondRequest:
        return cls(str(stored["asked_by"]), str(stored["reason"]), int(stored["asked_at"]))


@dataclass(frozen=True, slots=True)
class Parties:
    """Who has an interest in a call: who asked (a person, or a key chain), the person it acts for as the caller named
    them ("" for nobody), and who edited the policy that decides it."""

    asked_by: str
    acted_for: str
    policy_editors: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Objection:
    """Why somebody may not approve; `code` as on the wire."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Review:
    """One pending question, or how it ended. Moments are microseconds since the epoch."""

    tenant_id: str
    request_id: str
    tool_name: str
    opened_at: int
    expires_at: int
    quorum: int
    quorum_roles: tuple[str, ...] = ()
    status: ReviewStatus = ReviewStatus.PENDING
    votes: tuple[Vote, ...] = ()  # approvals so far
    second_requests: tuple[SecondRequest, ...] = ()
    escalated_at: int | None = None
    decided_at: int | None = None
    decided_by: str | None = None
    review_reason: str = ""

    def status_at(self, now: int) -> ReviewStatus:
        """Its state as time alone makes it."""
        if self.status is ReviewStatus.PENDING and now >= self.expires_at:
            return ReviewStatus.EXPIRED
        return self.status

    @property
    def voters(self) -> tuple[str, ...]:
        """Who approved so far."""
        return tuple(vote.voter for vote in self.votes)

    def with_vote(self, vote: Vote) -> Review:
        """One more approval; a second one by the same voter changes nothing."""
        return self if vote.voter in self.voters else replace(self, votes=(*self.votes, vote))

    def of_votes(self, counted: Iterable[bool]) -> Review:
        """The review with those of its votes that count, in their order."""
        return replace(self, votes=tuple(compress(self.votes, counted)))

    @property
    def missing_roles(self) -> tuple[str, ...]:
        """The roles of which nobody approved yet."""
        present = {vote.role for vote in self.votes}
        return tuple(role for role in self.quorum_roles if role not in present)

    @property
    def has_quorum(self) -> bool:
        return len(self.votes) >= self.quorum and not self.missing_roles

    def may_change_args(self, vote: Vote) -> bool:
        """Whether this vote alone decides: else the others' votes would stand for arguments that they never saw."""
        return not self.votes and self.with_vote(vote).has_quorum

    def objection(self, caller: Caller, parties: Parties, settings: ReviewSettings, now: int) -> Objection | None:
        """Why the caller, who may review, can't approve now; None if they can."""
        if (status := self.status_at(now)) is not ReviewStatus.PENDING:
            return Objection("review_over", f"This review is {status}.")
        if caller.lineage in self.voters:
            return Objection("already_approved", "You approved this already; somebody else has to approve, too.")
        return self.conflict_of_interest(caller, parties, settings)

    def conflict_of_interest(self, caller: Caller, parties: Parties, settings: ReviewSettings) -> Objection | None:
        """Why the caller is not the one to approve, as the tenant sets it."""
        you = "You" if isinstance(caller, Member) else "This key"
        if settings.separation_of_duties and caller.owns(parties.asked_by):
            return Objection("separation_of_duties", f"{you} asked for this call, so somebody else has to approve it.")
        if settings.separation_of_duties and isinstance(caller, Member) and _is_named(caller, parties.acted_for):
            return Objection(
                "separation_of_duties", "This call is made on your behalf, so somebody else has to approve it."
            )
        if settings.reviewer_not_policy_editor and caller.lineage in parties.policy_editors:
            return Objection(
                "reviewer_is_policy_editor",
                f"{you} wrote, confirmed or activated the policy that sent this call to a person, so somebody else has"
                " to approve it.",
            )
        return None

    def seconded(self, by: str, reason: str, now: int) -> Review:
        """One more approval is needed than before; the same wish again changes nothing. Raises `Conflict` when it
        is over or the quorum is as large as it may be."""
        if (status := self.status_at(now)) is not ReviewStatus.PENDING:
            raise Conflict(f"This review is {status}; nobody else can be asked.", code="review_already_decided")
        if by in [each.asked_by for each in self.second_requests]:
            return self
        if self.quorum >= LARGEST_QUORUM:
            raise Conflict(f"{LARGEST_QUORUM} people have to approve this already.", code="quorum_is_largest")
        wish = SecondRequest(by, reason, now)
        return replace(self, quorum=self.quorum + 1, second_requests=(*self.second_requests, wish))

    def escalates(self, now: int) -> bool:
        """Whether it may be escalated: while it waits, and once."""
        return self.status_at(now) is ReviewStatus.PENDING and self.escalated_at is None

    def ended(self, status: ReviewStatus, *, now: int, by: str, reason: str) -> Review:
        """The review as it ended."""
        assert self.status is ReviewStatus.PENDING
        return replace(self, status=status, decided_at=now, decided_by=by, review_reason=reason)

    def summary(self, now: int, names: Mapping[str, str]) -> JsonObject:
        """What the review list says about the review itself; `names` gives the names of those who acted."""
        votes: list[Json] = [
            {
                "id": vote.voter,
                "name": names.get(vote.voter, vote.voter),
                "role": vote.role or None,
                "review_reason": vote.reason,
                "approved_at": rfc3339(vote.voted_at),
            }
            for vote in self.votes
        ]
        wishes: list[Json] = [
            {
                "id": each.asked_by,
                "name": names.get(each.asked_by, each.asked_by),
                "review_reason": each.reason,
                "asked_at": rfc3339(each.asked_at),
            }
            for each in self.second_requests
        ]
        return {
            "review_status": str(self.status_at(now)),
            "opened_at": rfc3339(self.opened_at),
            "expires_at": rfc3339(self.expires_at),
            "escalated_at": rfc3339(self.escalated_at) if self.escalated_at is not None else None,
            "quorum": self.quorum,
            "quorum_roles": list(self.quorum_roles),
            "missing_roles": list(self.missing_roles),
            "approvals": len(self.votes),
            "approved_by": votes,
            "second_requests": wishes,
            "decided_at": rfc3339(self.decided_at) if self.decided_at is not None else None,
            "decided_by": self.decided_by,
            "decided_by_name": names.get(self.decided_by, self.decided_by) if self.decided_by else None,
            "review_reason": self.review_reason,
        }


def _is_named(member: Member, principal: str) -> bool:
    """Whether the application means this person: by e-mail address or id, whatever the case."""
    named = principal.strip().casefold()
    return bool(named) and named in (member.email.casefold(), member.person_id.casefold())

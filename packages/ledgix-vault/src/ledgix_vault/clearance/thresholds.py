"""What another confidence threshold would have done with decisions that were made already.

A threshold acts at one place: an approval whose confidence lies below it goes to a person (`clearance.decision`). So
what another one would have done follows from what was recorded, and nothing is evaluated again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ledgix.formats.confidence import ConfidenceBucket
from ledgix_vault.clearance.decision import LOW_CONFIDENCE, Outcome, reaches


class Kind(StrEnum):
    """How a decision depends on the threshold: not at all unless it is an approval."""

    APPROVAL = "approval"  # the rules or the judge approve it; the threshold may send it to a person
    REVIEW = "review"  # a person decides for another reason
    DENIAL = "denial"


@dataclass(frozen=True, slots=True)
class DecisionMade:
    """What the Vault decided by itself of one request, before any person did."""

    outcome: Outcome
    reason_code: str | None
    bucket: ConfidenceBucket
    limited: bool  # a limit doesn't let it pass without a person

    @property
    def kind(self) -> Kind:
        match self.outcome:
            case Outcome.APPROVED:
                return Kind.APPROVAL
            case Outcome.PENDING if self.reason_code == LOW_CONFIDENCE and not self.limited:
                return Kind.APPROVAL
            case Outcome.PENDING:
                return Kind.REVIEW
            case _:
                return Kind.DENIAL


@dataclass(frozen=True, slots=True)
class Threshold:
    """What one threshold would have made of the approvals."""

    minimum: ConfidenceBucket
    approved: int
    reviewed: int


@dataclass(frozen=True, slots=True)
class Effects:
    """The decisions by what a threshold can do with them: `thresholds` from the strictest on; reviews for other reasons
    and denials are the same under each."""

    decided: int
    thresholds: tuple[Threshold, ...]
    other_reviews: int
    denials: int


def effects_of(decisions: Iterable[DecisionMade]) -> Effects:
    """Adds up what each threshold would have done."""
    kinds: Counter[Kind] = Counter()
    approvals: Counter[ConfidenceBucket] = Counter()
    for made in decisions:
        kinds[made.kind] += 1
        if made.kind is Kind.APPROVAL:
            approvals[made.bucket] += 1
    found = []
    for minimum in ConfidenceBucket:
        passed = sum(count for bucket, count in approvals.items() if reaches(bucket, minimum))
        found.append(Threshold(minimum, passed, kinds[Kind.APPROVAL] - passed))
    return Effects(kinds.total(), tuple(found), kinds[Kind.REVIEW], kinds[Kind.DENIAL])

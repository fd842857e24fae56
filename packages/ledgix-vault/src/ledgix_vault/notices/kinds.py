"""What a tenant can be told of: a closed set, on the wire too."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class NoticeKind(StrEnum):
    """An event that somebody may want to hear of."""

    REVIEW_REQUESTED = "review.requested"
    REVIEW_REMINDER = "review.reminder"
    REVIEW_ESCALATED = "review.escalated"
    REVIEW_DECIDED = "review.decided"
    REVIEW_EXPIRED = "review.expired"
    BUDGET_LOW = "budget.low"
    KILL_SWITCH = "kill_switch"
    KEY_CREATED = "key.created"


URGENT: Final = frozenset({NoticeKind.KILL_SWITCH})
"""What waits for nothing: neither for the end of quiet hours nor for a digest."""
ASKING: Final = frozenset({NoticeKind.REVIEW_REQUESTED, NoticeKind.REVIEW_REMINDER, NoticeKind.REVIEW_ESCALATED})
"""What asks people for a decision; once the review is over, there is nobody to ask."""
NAMES: Final = {
    NoticeKind.REVIEW_REQUESTED: "A review is requested",
    NoticeKind.REVIEW_REMINDER: "A review is about to expire",
    NoticeKind.REVIEW_ESCALATED: "A review waits for too long",
    NoticeKind.REVIEW_DECIDED: "A review was decided",
    NoticeKind.REVIEW_EXPIRED: "A review expired",
    NoticeKind.BUDGET_LOW: "A budget is 80 % used",
    NoticeKind.KILL_SWITCH: "The kill switch was used",
    NoticeKind.KEY_CREATED: "An API key was created",
}


class Channel(StrEnum):
    """A way to tell somebody."""

    EMAIL = "email"
    SLACK = "slack"
    SLACK_APP = "slack_app"
    TEAMS = "teams"
    WEBHOOK = "webhook"

"""What a rule, a limit or a policy says about a call."""

from __future__ import annotations

from enum import StrEnum


class Effect(StrEnum):
    """The later beats the earlier."""

    APPROVE = "approve"
    REVIEW = "review"
    DENY = "deny"

"""Confidence buckets and the numbers that stand for them (contract section 6, last line)."""

from __future__ import annotations

from enum import StrEnum


class ConfidenceBucket(StrEnum):
    """How sure a decision is: derived from how it was made, never self-reported."""

    EXTRA_HIGH = "extra_high"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NONE = "none"

    @property
    def midpoint(self) -> float:
        """The number that the entry's `confidence` carries."""
        return MIDPOINTS[self.value]


MIDPOINTS = {"extra_high": 0.95, "high": 0.85, "medium": 0.60, "low": 0.20, "none": 0.0}
"""By the bucket's name on the wire."""

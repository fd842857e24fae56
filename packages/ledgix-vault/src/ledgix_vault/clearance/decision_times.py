"""How long decisions took: counted within fixed bounds, so that counts of hours add up to those of days.

- A decision counts at the smallest bound that it didn't exceed: whoever reads "half within 3 ms" reads no less than
  what half of them truly took.
- A clock that was set back meanwhile makes no time negative: it counts as the smallest bound.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil

from ledgix_vault.clearance.overview import Range

BOUNDS: tuple[int, ...] = tuple(digit * 10**power for power in range(8) for digit in (1, 2, 3, 5, 7))
"""In milliseconds: from 1 ms to 19 hours."""
LONGER = "longer"
UNMEASURED = ""
"""Of requests that nobody timed: those of older versions, and those that await their judge or were cancelled before."""

_MICROSECONDS = tuple(bound * 1000 for bound in BOUNDS)
_NAMES = (*map(str, BOUNDS), LONGER)


def bound_of(took: int) -> str:
    """The name of the bound within which a decision was made that took so long (µs)."""
    return _NAMES[bisect_left(_MICROSECONDS, took)]


@dataclass(frozen=True, slots=True)
class Times:
    """How many decisions were measured, and within how many milliseconds half and 95 of 100 of them were made. None for
    nothing measured, and beyond the largest bound."""

    measured: int
    median_within: int | None
    p95_within: int | None

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Times:
        """From the number of decisions within each bound, by the bound's name."""
        return cls(sum(counts.values()), _within(counts, 0.5), _within(counts, 0.95))


@dataclass(frozen=True, slots=True)
class TimesOfRange:
    """Times of a whole range, and of each of its steps, oldest first."""

    whole: Times
    steps: tuple[Times, ...]


def add_up_times(span: Range, hour: int, rows: Iterable[tuple[int, str, int]]) -> TimesOfRange:
    """The times of the range that ends with the current `hour`; rows are (hour, bound's name, decisions)."""
    first = span.first_hour(hour)
    whole: dict[str, int] = {}
    steps: list[dict[str, int]] = [{} for _ in range(span.hours // span.step)]
    for at, bound, decisions in rows:
        # A clock that was set back may leave a little in the future; it belongs to now.
        step = steps[min((at - first) // span.step, len(steps) - 1)]
        for counts in (whole, step):
            counts[bound] = counts.get(bound, 0) + decisions
    return TimesOfRange(Times.of(whole), tuple(map(Times.of, steps)))


def _within(counts: Mapping[str, int], share: float) -> int | None:
    wanted, seen = max(1, ceil(sum(counts.values()) * share)), 0
    for bound in BOUNDS:
        seen += counts.get(str(bound), 0)
        if seen >= wanted:
            return bound
    return None

"""Adding up what happened in the last hours or days: the figures of an overview out of hourly totals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import ceil

from ledgix_vault.clearance.decision import DeciderType, Outcome

HOURS_OF_A_DAY = 24
WITHOUT_A_PERSON = frozenset({str(DeciderType.ENGINE), str(DeciderType.JUDGE)})
DECIDED = frozenset({str(Outcome.APPROVED), str(Outcome.DENIED), str(Outcome.EXPIRED)})


class Range(StrEnum):
    """How far back an overview looks."""

    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def hours(self) -> int:
        return {Range.DAY: 24, Range.WEEK: 7 * 24, Range.MONTH: 30 * 24}[self]

    @property
    def step(self) -> int:
        """Hours that are shown together."""
        return {Range.DAY: 1, Range.WEEK: 6, Range.MONTH: 24}[self]

    def first_hour(self, hour: int) -> int:
        """The first hour that is shown when it is `hour` now: whole steps of UTC days, the last of them unfinished."""
        return hour - hour % self.step - self.hours + self.step


@dataclass(slots=True)
class Totals:
    """What was asked in a range. `steps` has the requests by outcome for each step, oldest first."""

    first_hour: int
    step: int
    steps: list[dict[str, int]]
    outcomes: dict[str, int] = field(default_factory=dict)
    decided: int = 0  # approved, denied or expired
    without_a_person: int = 0

    @property
    def requests(self) -> int:
        return sum(self.outcomes.values())


def add_up(span: Range, hour: int, rows: Iterable[tuple[int, str, str, int]]) -> Totals:
    """The totals of the range that ends with the current `hour`; rows are (hour, outcome, decided_by, requests)."""
    first = span.first_hour(hour)
    found = Totals(first, span.step, [{} for _ in range(span.hours // span.step)])
    for at, outcome, decided_by, requests in rows:
        # A clock that was set back may leave a little in the future; it belongs to now.
        step = found.steps[min((at - first) // span.step, len(found.steps) - 1)]
        step[outcome] = step.get(outcome, 0) + requests
        found.outcomes[outcome] = found.outcomes.get(outcome, 0) + requests
        if outcome in DECIDED:
            found.decided += requests
            if decided_by in WITHOUT_A_PERSON:
                found.without_a_person += requests
    return found


def quantile(values: Sequence[int], share: float) -> int | None:
    """The smallest value that at least this share of all don't exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * share) - 1)] if ordered else None

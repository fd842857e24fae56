"""The stretch of time over which a limit counts: rolling, a calendar period in a time zone, or ever.

Invariants
- What was reserved after `since(now)` counts, what was reserved at or before it doesn't.
- `since` never goes back while time doesn't: what has left the window stays outside.
- A calendar period begins at the first instant of its first day there, also where a clock change swallows midnight.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from ledgix_vault.policy.parts import CALENDAR_WINDOWS, EVER
from ledgix_vault.times import MICROSECONDS

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
ALWAYS: Final = -1
"""The `since` of a window that never ends."""


@dataclass(frozen=True, slots=True)
class Window:
    """`text` as a policy writes it ("24h", "month", "ever"); `zone` matters to calendar windows alone."""

    text: str
    zone: str = "UTC"

    @property
    def name(self) -> str:
        """What tells this window from others: `day Europe/Berlin`."""
        return f"{self.text} {self.zone}" if self.text in CALENDAR_WINDOWS else self.text

    @classmethod
    def named(cls, name: str) -> Window:
        """The window with that `name`."""
        text, _, zone = name.partition(" ")
        return cls(text, zone or "UTC")

    @property
    def length(self) -> int | None:
        """Microseconds of a rolling window, else None."""
        if self.text == EVER or self.text in CALENDAR_WINDOWS:
            return None
        return int(self.text[:-1]) * _SECONDS[self.text[-1]] * MICROSECONDS

    def since(self, now: int) -> int:
        """What was reserved after this moment counts at `now` (both in microseconds since the epoch)."""
        if self.text == EVER:
            return ALWAYS
        length = self.length
        if length is not None:
            return now - length
        first = _first_day(self.text, _local_date(now, self.zone))
        return _midnight(first, self.zone) - 1

    def next_start(self, now: int) -> int | None:
        """When the next calendar period begins; None for other windows."""
        if self.text not in CALENDAR_WINDOWS:
            return None
        first = _first_day(self.text, _local_date(now, self.zone))
        return _midnight(_next_first_day(self.text, first), self.zone)


def _local_date(now: int, zone: str) -> date:
    return (_EPOCH + timedelta(microseconds=now)).astimezone(_zone(zone)).date()


def _first_day(period: str, day: date) -> date:
    match period:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "year":
            return day.replace(month=1, day=1)
        case _:
            raise ValueError(f"{period} is no calendar window")


def _next_first_day(period: str, first: date) -> date:
    match period:
        case "day":
            return first + timedelta(days=1)
        case "week":
            return first + timedelta(days=7)
        case "month":
            return (first.replace(day=28) + timedelta(days=4)).replace(day=1)
        case "year":
            return first.replace(year=first.year + 1)
        case _:
            raise ValueError(f"{period} is no calendar window")


def _midnight(day: date, zone: str) -> int:
    """The first instant of that day. A midnight that clocks skip is the instant of the change, of two it is the first
    (PEP 495, fold=0)."""
    local = datetime(day.year, day.month, day.day, tzinfo=_zone(zone))
    return (local.astimezone(UTC) - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)

"""Quiet hours of a tenant: while they last, people are told nothing that can wait."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begins` to `ends` on the given days, by the clocks of a time zone; over midnight where it ends before it
    begins, and all day where the two are the same. A night belongs to the day on which it begins."""

    enabled: bool = False
    days: tuple[str, ...] = DAYS
    begins: str = "22:00"
    ends: str = "07:00"
    time_zone: str = "UTC"

    def until(self, now: int) -> int:
        """The moment (µs) at which people may be told again; `now` when they may be told at once."""
        if not self.enabled:
            return now
        moment = now
        for _ in range(2 * len(DAYS)):  # days that follow each other without a pause
            end = self._end_around(moment)
            if end is None:
                break
            moment = end
        return moment

    def _end_around(self, moment: int) -> int | None:
        """The end of the quiet span that contains the moment, or None."""
        zone = ZoneInfo(self.time_zone)
        today = (_EPOCH + timedelta(microseconds=moment)).astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            if DAYS[day.weekday()] not in self.days:
                continue
            begins, ends = time.fromisoformat(self.begins), time.fromisoformat(self.ends)
            last = day if begins < ends else day + timedelta(days=1)
            first = _moment(datetime.combine(day, begins, zone))
            end = _moment(datetime.combine(last, ends, zone))
            if first <= moment < end:
                return end
        return None

    def to_json(self) -> JsonObject:
        days: list[Json] = list(self.days)
        return {
            "enabled": self.enabled,
            "days": days,
            "from": self.begins,
            "until": self.ends,
            "time_zone": self.time_zone,
        }

    def changed(self, changes: JsonObject) -> QuietHours:
        """These with `changes` applied; raises `Invalid` naming the member that is wrong."""
        told: dict[str, Any] = {**self.to_json(), **changes}
        path = "$.quiet_hours"
        if not isinstance(told["enabled"], bool):
            raise Invalid("must be true or false", path=f"{path}.enabled")
        days = told["days"]
        if not isinstance(days, list) or not days or not all(day in DAYS for day in days):
            raise Invalid(f"must be a list of {', '.join(DAYS)}", path=f"{path}.days")
        for name in ("from", "until"):
            if not isinstance(told[name], str) or not _TIME.fullmatch(told[name]):
                raise Invalid("must be a time of day: 22:00", path=f"{path}.{name}")
        if not _is_zone(told["time_zone"]):
            raise Invalid("must be the name of a time zone: Europe/Berlin", path=f"{path}.time_zone")
        kept = tuple(day for day in DAYS if day in days)
        return QuietHours(told["enabled"], kept, told["from"], told["until"], told["time_zone"])


def _moment(local: datetime) -> int:
    return (local.astimezone(UTC) - _EPOCH) // _MICROSECOND


def _is_zone(name: object) -> bool:
    if not isinstance(name, str) or not name.isascii() or len(name) > 64:
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True

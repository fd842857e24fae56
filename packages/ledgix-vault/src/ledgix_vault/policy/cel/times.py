"""Moments, dates and spans of time. `timestamp`, `duration` and the getters are CEL's; `date`, `years`, the unit `d`
and the zone of a text without one are ours.

Invariants:

- A text that isn't exactly RFC 3339 (section 5.6), or a moment that doesn't exist or exists twice in its zone, is
  unknown, never adjusted.
- Nothing here reads a clock; `now` is the moment of the request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledgix_vault.policy.cel.inputs import Inputs, Unknown, Value, spell
from ledgix_vault.policy.cel.operators import Operand, Read, unusable

_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOMENT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,6}))?([Zz]|[+-][0-9]{2}:[0-9]{2})?",
    re.ASCII,
)
_OFFSET: Final = re.compile(r"([+-])([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_SPAN: Final = re.compile(r"(?:[0-9]{1,6}(?:\.[0-9]{1,6})?[dhms])+", re.ASCII)
_SPAN_PART: Final = re.compile(r"([0-9.]+)([dhms])", re.ASCII)
_MICROSECONDS: Final = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def zone_named(name: str) -> tzinfo | None:
    """UTC, an offset like "-05:00" or an IANA zone; None for anything else."""
    if name == "UTC":
        return UTC
    if found := _OFFSET.fullmatch(name):
        span = timedelta(hours=int(found[2]), minutes=int(found[3]))
        return timezone(-span if found[1] == "-" else span)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def moment(microseconds: int) -> datetime:
    """A moment of the Vault's clock (µs since the Unix epoch)."""
    return _EPOCH + timedelta(microseconds=microseconds)


def parse_span(text: str) -> timedelta | None:
    """The duration that `text` is ("24h", "1h30m", "30d"), None if it is none."""
    if not _SPAN.fullmatch(text):
        return None
    total = 0
    for number, unit in _SPAN_PART.findall(text):
        whole, _, fraction = number.partition(".")
        total += int(whole) * _MICROSECONDS[unit] + int((fraction or "0").ljust(6, "0")) * _MICROSECONDS[unit] // 10**6
    return timedelta(microseconds=total)


def timestamp(of: Operand, zone: tzinfo | None) -> Read:
    """`timestamp(text)`, or `timestamp(text, zone)` for a text that may have no zone of its own."""
    inner, label = of

    def read(inputs: Inputs) -> Value:
        value = inner(inputs)
        if type(value) is datetime:
            return value
        if not isinstance(value, str):
            return unusable(value, label, "a timestamp")
        return _moment(value, label, zone)

    return read


def _moment(text: str, label: str, zone: tzinfo | None) -> Value:
    found = _MOMENT.fullmatch(text)
    if found is None:
        return Unknown(f"{label} is {spell(text)}, not a timestamp")
    day, time, fraction, offset = found.groups()
    written = zone if offset is None else zone_named("UTC" if offset in "Zz" else offset)
    if written is None:
        return Unknown(f"{label} is {spell(text)}, which names no time zone")
    try:
        naive = datetime.fromisoformat(f"{day}T{time}.{(fraction or '0').ljust(6, '0')}")
        first, second = naive.replace(tzinfo=written), naive.replace(tzinfo=written, fold=1)
        if first.utcoffset() != second.utcoffset():
            return Unknown(f"{label} is {spell(text)}, a local time that doesn't exist once")
        return first.astimezone(UTC)
    except (ValueError, OverflowError):
        return Unknown(f"{label} is {spell(text)}, which is no moment of the calendar")


def date_of(of: Operand, zone: tzinfo | None) -> Read:
    """`date(text)`: the date as written, of a date or a timestamp. `date(moment, zone)`: its date there."""
    inner, label = of

    def read(inputs: Inputs) -> Value:
        value = inner(inputs)
        match value:
            case datetime() if zone is not None:
                return _local(value, zone, label, datetime.date)
            case datetime():
                return Unknown(f"{label} is a moment, and its date depends on the time zone: `date(x, zone)`")
            case date():
                return value
            case str():
                return _date(value, label)
            case _:
                return unusable(value, label, "a date")

    return read


def _date(text: str, label: str) -> Value:
    found = _MOMENT.fullmatch(text)
    day = found[1] if found else text
    if _DATE.fullmatch(day):
        try:
            if found:
                datetime.fromisoformat(f"{day}T{found[2]}")
            return date.fromisoformat(day)
        except ValueError:
            pass
    return Unknown(f"{label} is {spell(text)}, not a date like 2026-01-31")


def duration(of: Operand) -> Read:
    """`duration(text)`: hours, minutes, seconds, and days of 24 hours."""
    inner, label = of

    def read(inputs: Inputs) -> Value:
        value = inner(inputs)
        if type(value) is timedelta:
            return value
        if not isinstance(value, str):
            return unusable(value, label, "a duration")
        span = parse_span(value)
        return Unknown(f'{label} is {spell(value)}, not a duration like "24h"') if span is None else span

    return read


def years(start: Operand, end: Operand) -> Read:
    """`years(from, to)`: full years between two dates; who is born on 29 February is a year older on 1 March."""
    (read_start, start_label), (read_end, end_label) = start, end

    def read(inputs: Inputs) -> Value:
        first, last = read_start(inputs), read_end(inputs)
        for value, label in ((first, start_label), (last, end_label)):
            if type(value) is not date:
                return unusable(value, label, "a date")
        assert type(first) is date
        assert type(last) is date
        return last.year - first.year - ((last.month, last.day) < (first.month, first.day))

    return read


GETTERS: Final[Mapping[str, Callable[[datetime], int]]] = {
    "getFullYear": lambda at: at.year,
    "getMonth": lambda at: at.month - 1,
    "getDate": lambda at: at.day,
    "getDayOfWeek": lambda at: at.isoweekday() % 7,
    "getHours": lambda at: at.hour,
    "getMinutes": lambda at: at.minute,
}
"""CEL's: months count from 0, days of the week from Sunday, which is 0."""
_OF_A_DAY: Final = frozenset(("getHours", "getMinutes"))


def getter(name: str, of: Operand, zone: tzinfo) -> Read:
    """`x.getDayOfWeek(zone)` and its like, of a timestamp; those that are no time of day also of a date."""
    inner, label = of
    get = GETTERS[name]

    def read(inputs: Inputs) -> Value:
        value = inner(inputs)
        match value:
            case datetime():
                return _local(value, zone, label, get)
            case date() if name not in _OF_A_DAY:
                return get(datetime(value.year, value.month, value.day))  # noqa: DTZ001 - a date has no zone
            case _:
                return unusable(value, label, "a timestamp")

    return read


def _local(at: datetime, zone: tzinfo, label: str, get: Callable[[datetime], int | date]) -> Value:
    try:
        return get(at.astimezone(zone))
    except OverflowError:
        return Unknown(f"{label} is beyond the calendar in that time zone")

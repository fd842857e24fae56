"""When: "at weekends", "between 9:00 and 17:00 Europe/Berlin", "after 2026-01-31", "within 30 days of …".

Hours need a time zone that is written out. Days are those of UTC where none is: that is an assumption, and shown.
A range that crosses midnight, a 30th of February and "9 to 5" have two readings or none, and aren't understood.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Final

from ledgix_vault.policy.cel.parse import quote
from ledgix_vault.policy.cel.times import zone_named
from ledgix_vault.policy.english.fields import Field, without_determiner
from ledgix_vault.policy.english.rules import Setting

_ZONE: Final = r"(?P<zone>UTC|[A-Z][A-Za-z]{2,20}/[A-Z][A-Za-z_]{2,30})"
_IN_ZONE: Final = rf"(?: (?:in )?\(?{_ZONE}\)?)?"
_DAYS: Final = {
    "sunday": 0,
    "monday": 1,
    "tuesday": 2,
    "wednesday": 3,
    "thursday": 4,
    "friday": 5,
    "saturday": 6,
}
_DAY: Final = re.compile(
    rf"(?:on (?P<weekdays>weekdays)|(?P<weekend>on weekends|at weekends|at the weekend|on the weekend)"
    rf"|on (?P<day>(?i:{'|'.join(_DAYS)}))s){_IN_ZONE}",
    re.ASCII,
)
_HOURS: Final = re.compile(
    rf"between (?P<from>[0-9]{{1,2}}:[0-9]{{2}}) and (?P<to>[0-9]{{1,2}}:[0-9]{{2}}) (?:in )?\(?{_ZONE}\)?", re.ASCII
)
_DATE: Final = re.compile(rf"(?P<side>after|before) (?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}){_IN_ZONE}", re.ASCII)
_SINCE: Final = re.compile(
    r"(?P<within>within|more than|later than) (?P<count>[1-9][0-9]{0,3}) (?P<unit>hour|day|week)s?"
    r" (?P<of>of|after) (?P<field>[A-Za-z_`][A-Za-z0-9_.` -]*)",
    re.ASCII,
)
_AGE: Final = re.compile(r"(?P<count>[1-9][0-9]{0,3}) (?P<unit>hour|day|week)s?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Moment:
    """`condition` holds at that time. `before`, where there is one, holds too early for the sentence to say anything:
    "within 30 days of delivery" doesn't speak of the days before it."""

    condition: str
    assumptions: tuple[str, ...] = ()
    before: str = ""
    is_within: bool = False


def moment_in(text: str, setting: Setting) -> Moment | None:
    """The time that the whole of `text` names."""
    lowered = text[:1].lower() + text[1:]
    if found := _DAY.fullmatch(lowered):
        return _day(found)
    if found := _HOURS.fullmatch(lowered):
        return _hours(found)
    if found := _DATE.fullmatch(lowered):
        return _date(found)
    found = _SINCE.fullmatch(lowered)
    if not found or (found["within"] != "within" and found["of"] == "of"):
        return None
    field = _time_field(found["field"], setting)
    return _since(field, found, within=found["within"] == "within") if field else None


def older_than(field: Field, age: str) -> Moment | None:
    """ "older than 24 hours", for a field that holds a moment or a date."""
    found = _AGE.fullmatch(age)
    return _since(field, found, within=False) if found and field.time else None


def _time_field(phrase: str, setting: Setting) -> Field | None:
    reach = setting.reach(None)
    field = setting.field(without_determiner(phrase), reach) if reach else None
    return field if field and field.time else None


def _zone(found: re.Match[str]) -> tuple[str, tuple[str, ...]] | None:
    name = found["zone"] or "UTC"
    if zone_named(name) is None:
        return None
    return quote(name), () if found["zone"] else ("days are those of the time zone UTC",)


def _day(found: re.Match[str]) -> Moment | None:
    zone = _zone(found)
    if zone is None:
        return None
    name, assumptions = zone
    if found["day"]:
        return Moment(f"now.getDayOfWeek({name}) == {_DAYS[found['day'].lower()]}", assumptions)
    days, said = ("[0, 6]", "a weekend is") if found["weekend"] else ("[1, 2, 3, 4, 5]", "weekdays are")
    named = "Saturday and Sunday" if found["weekend"] else "Monday to Friday, public holidays included"
    return Moment(f"now.getDayOfWeek({name}) in {days}", (f"{said} {named}", *assumptions))


def _hours(found: re.Match[str]) -> Moment | None:
    zone, start, end = _zone(found), _minutes(found["from"]), _minutes(found["to"])
    if zone is None or start is None or end is None or start >= end:
        return None
    clock = f"now.getHours({zone[0]}) * 60 + now.getMinutes({zone[0]})"
    edge = f"{found['from']} is inside, {found['to']} is outside"
    return Moment(f"{clock} >= {start} && {clock} < {end}", (edge,))


def _minutes(clock: str) -> int | None:
    hours, minutes = (int(part) for part in clock.split(":"))
    return hours * 60 + minutes if hours < 24 and minutes < 60 else None


def _date(found: re.Match[str]) -> Moment | None:
    zone = _zone(found)
    try:
        date.fromisoformat(found["date"])
    except ValueError:
        return None
    if zone is None:
        return None
    sign = ">" if found["side"] == "after" else "<"
    edge = f"{found['date']} itself is not {found['side']} it"
    return Moment(f"date(now, {zone[0]}) {sign} date({quote(found['date'])})", (edge, *zone[1]))


def _since(field: Field, found: re.Match[str], *, within: bool) -> Moment | None:
    count, unit = int(found["count"]), found["unit"]
    if field.time == "date":
        if unit == "hour":
            return None
        start, now = f"date({field.expression})", 'date(now, "UTC")'
    else:
        start, now = f"timestamp({field.expression})", "now"
    span = f"{count}h" if unit == "hour" else f"{count * (7 if unit == 'week' else 1)}d"
    end = f'{start} + duration("{span}")'
    assumptions = [f"{field.label} is when it starts", f"exactly {count} {unit}s later is still within"]
    if field.time == "date":
        assumptions.append("days are those of the time zone UTC")
    sign = "<=" if within else ">"
    return Moment(f"{now} {sign} {end}", tuple(assumptions), f"{now} < {start}", is_within=within)

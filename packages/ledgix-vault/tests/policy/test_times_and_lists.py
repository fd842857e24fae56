"""Moments, dates and spans, lists made from lists, choices and tables: what is decided, and why something isn't."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from ledgix_vault.policy.call import Call, EarlierCall
from ledgix_vault.policy.cel.inputs import MOST_ITEMS, MOST_STEPS, Inputs, Unknown
from ledgix_vault.policy.conditions import Condition

NOON = 1_780_315_200_000_000  # 2026-06-01T12:00:00Z, a Monday


def outcome(text: str, args: Any, **further: Any) -> object:
    fields: dict[str, Any] = {
        "tool_name": "t",
        "args": args,
        "agent_id": "a",
        "session_id": "",
        "human_principal": None,
        "facts": {},
        "destination": {},
        "purpose": None,
        "data_categories": None,
        "hint": None,
    }
    found = Condition.parse(text).test(Inputs(Call(**(fields | further)), {}))
    return found.why if isinstance(found, Unknown) else found


CASES = [
    ("args.b ? args.x == 1 : args.y == 1", {"b": True, "x": 1}, True),
    ("args.b ? args.x == 1 : args.y == 1", {"b": False, "x": 1}, "y is missing"),
    ("args.b ? args.x == 1 : args.y == 1", {"x": 1}, "b is missing"),
    ("{'gold': {'economy': 3}}[args.a][args.b] == 3", {"a": "gold", "b": "economy"}, True),
    (
        "{'gold': {'economy': 3}}[args.a][args.b] == 3",
        {"a": "lead", "b": "economy"},
        "a part of the condition has no such item",
    ),
    ("args.l.map(i, i.p).sum() == 3.5", {"l": [{"p": 1}, {"p": Decimal("2.5")}]}, True),
    ("args.l.map(i, i.p).sum() == 0", {"l": []}, True),
    ("args.l.map(i, i.p).sum() > 0", {"l": [{"p": 1}, {}]}, "i.p is missing"),
    ("args.l.sum() > 0", {"l": [1, "2"]}, 'an item of l is "2", not a number'),
    ("args.l.sum() > 0", {"l": [1, None]}, "an item of l is null"),
    ("args.l.sum() > 0", {"l": [Decimal("1e-70"), Decimal("1e70")]}, "the sum of l can't be computed exactly"),
    ("args.l.min() == 1 && args.l.max() == 3", {"l": [2, 1, 3]}, True),
    ("args.l.max() == 3", {"l": []}, "the max of l: the list is empty"),
    ("args.l.distinct() == ['a', 'b']", {"l": ["a", "b", "a"]}, True),
    ("size(args.l.distinct()) == size(args.l)", {"l": ["a", "b", "a"]}, False),
    ("size(args.l.distinct()) == 1", {"l": ["a", 1]}, "l isn't a list of strings or of numbers"),
    ("args.l.filter(i, i.ok).size() == 1", {"l": [{"ok": True}, {"ok": False}]}, True),
    ("args.l.filter(i, i.ok).size() == 1", {"l": [{"ok": True}, {"ok": 1}]}, "i.ok is 1, not true or false"),
    ("args.l.exists_one(i, i == 1)", {"l": [1, 1]}, False),
    ("args.l == args.m", {"l": [1], "m": ["1"]}, 'l is [1] and m is ["1"]: these can\'t be compared'),
    ("args.l == args.m", {"l": [1, 2], "m": ["1", 3]}, False),
    (
        "args.l == args.m",
        {"l": {"a": None}, "m": {"a": None}},
        "l is an object with 1 members and m is an object with 1 members: these can't be compared",
    ),
    (
        "timestamp(args.t) > timestamp('2026-01-01T00:00:00Z')",
        {"t": "2026-01-01T00:00:01"},
        't is "2026-01-01T00:00:01", which names no time zone',
    ),
    ("timestamp(args.t, '-05:00') == timestamp('2026-01-01T05:00:00Z')", {"t": "2026-01-01T00:00:00"}, True),
    ("timestamp(args.t, '-05:00') == timestamp('2026-01-01T00:00:00Z')", {"t": "2026-01-01T00:00:00Z"}, True),
    (
        "timestamp(args.t, 'Europe/Berlin') > now",
        {"t": "2026-03-29T02:30:00"},
        't is "2026-03-29T02:30:00", a local time that doesn\'t exist once',
    ),
    (
        "timestamp(args.t, 'Europe/Berlin') > now",
        {"t": "2026-10-25T02:30:00"},
        't is "2026-10-25T02:30:00", a local time that doesn\'t exist once',
    ),
    ("timestamp(args.t) > now", {"t": 5}, "t is 5, not a timestamp"),
    ("timestamp(args.t) > now", {"t": "2026-01-01"}, 't is "2026-01-01", not a timestamp'),
    (
        "timestamp(args.t) > now",
        {"t": "0001-01-01T00:00:00+05:00"},
        't is "0001-01-01T00:00:00+05:00", which is no moment of the calendar',
    ),
    ("now > timestamp('2026-01-01T00:00:00Z')", {}, "the moment of the request isn't known here"),
    ("date(args.d) - date('2026-02-28') == duration('1d')", {"d": "2026-03-01"}, True),
    ("date(args.d) - date('2024-02-28') == duration('48h')", {"d": "2024-03-01"}, True),
    ("date(args.d) == date('2026-01-31')", {"d": "2026-01-31T23:59:59-12:00"}, True),
    ("date(args.d) + duration('30d') >= date('2026-03-02')", {"d": "2026-01-31"}, True),
    ("date(args.d) + duration('1h') >= date('2026-03-02')", {"d": "2026-01-31"}, "2026-01-31 + 1 hour means nothing"),
    ("date(args.d) > date('2026-01-01')", {"d": "2026-02-30"}, 'd is "2026-02-30", not a date like 2026-01-31'),
    ("date(args.d) > date('2026-01-01')", {"d": "13/01/2026"}, 'd is "13/01/2026", not a date like 2026-01-31'),
    ("date(args.d) > date('2026-01-01')", {"d": "２０２６-01-02"}, 'd is "２０２６-01-02", not a date like 2026-01-31'),
    (
        "date(args.d) + duration('999999d') > date('2026-01-01')",
        {"d": "9999-01-01"},
        "the result is beyond the calendar",
    ),
    ("date(timestamp(args.d), 'Asia/Tokyo') == date('2026-01-02')", {"d": "2026-01-01T15:00:00Z"}, True),
    (
        "date(timestamp(args.d)) == date('2026-01-02')",
        {"d": "2026-01-01T15:00:00Z"},
        "d is a moment, and its date depends on the time zone: `date(x, zone)`",
    ),
    ("years(date(args.d), date('2026-05-15')) >= 18", {"d": "2008-05-15"}, True),
    ("years(date(args.d), date('2026-05-14')) >= 18", {"d": "2008-05-15"}, False),
    ("years(date(args.d), date('2026-02-28')) == 17", {"d": "2008-02-29"}, True),
    ("timestamp(args.d).getDayOfWeek('America/New_York') == 6", {"d": "2026-02-01T04:59:00Z"}, True),
    ("date(args.d).getDayOfWeek() == 0", {"d": "2026-02-01"}, True),
    ("date(args.d).getHours() == 0", {"d": "2026-02-01"}, "d is 2026-02-01, not a timestamp"),
    ("session.calls.exists(c, c.tool == 't')", {}, "the call names no session"),
]


@pytest.mark.parametrize(("text", "args", "expected"), CASES)
def test_three_values(text: str, args: dict[str, Any], expected: object) -> None:
    assert outcome(text, args) == expected


NOW_CASES = [
    ("now == timestamp('2026-06-01T12:00:00Z')", True),
    ("now.getDayOfWeek('Europe/Berlin') in [1, 2, 3, 4, 5]", True),
    ("now.getHours('Europe/Berlin') == 14", True),
    ("now.getHours() == 12 && now.getMinutes('+05:30') == 30", True),
    ("date(now, 'Pacific/Kiritimati') == date('2026-06-02')", True),
    ("now - timestamp('2026-05-31T12:00:00Z') <= duration('1d')", True),
    ("now - timestamp('2026-05-31T11:59:59Z') <= duration('1d')", False),
    ("now + duration('999999d') > now", True),
]


@pytest.mark.parametrize(("text", "expected"), NOW_CASES)
def test_now_is_the_moment_of_the_request(text: str, expected: object) -> None:
    assert outcome(text, {}, now=NOON) == expected


def test_the_session_has_its_earlier_calls() -> None:
    used = "session.calls.exists(c, c.tool == 'book' && c.args.voucher == args.voucher)"
    earlier = (EarlierCall("book", {"voucher": "V1"}, NOON - 1),)
    assert outcome(used, {"voucher": "V1"}, session_id="s", session_calls=earlier) is True
    assert outcome(used, {"voucher": "V2"}, session_id="s", session_calls=earlier) is False
    assert outcome(used, {"voucher": "V2"}, session_id="s", session_calls=()) is False
    assert "aren't known" in str(outcome(used, {"voucher": "V2"}, session_id="s"))
    assert outcome("session.calls.all(c, c.at < now)", {}, session_id="s", session_calls=earlier, now=NOON) is True


def test_lists_are_bounded() -> None:
    assert "at most" in str(outcome("args.l.sum() > 0", {"l": [1] * (MOST_ITEMS + 1)}))
    assert "at most" in str(outcome("args.l.map(x, x) == args.l", {"l": [1] * (MOST_ITEMS + 1)}))
    assert f"more than {MOST_STEPS}" in str(outcome("args.l.map(x, args.l.sum()).sum() > 0", {"l": [1] * 100}))


def test_numbers_stay_exact() -> None:
    cents = [{"p": Decimal("0.1")}] * 3
    assert outcome("args.l.map(x, x.p).sum() == 0.3", {"l": cents}) is True

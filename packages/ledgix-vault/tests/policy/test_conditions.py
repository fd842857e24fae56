"""The condition language: what it refuses, where it points, and that nothing runs long."""

from __future__ import annotations

import time
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledgix.formats import json
from ledgix_vault.policy.cel.errors import ConditionError
from ledgix_vault.policy.cel.inputs import MOST_ITEMS, Inputs, Unknown, spell
from ledgix_vault.policy.cel.parse import DEEPEST, LONGEST_TEXT, parse
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.evaluate import Call

REFUSED = {
    "": (0, "empty"),
    "args.amount = 5": (12, "write `==`"),
    "args.amount > 5 and true": (16, "write `&&`"),
    "args.amount >": (13, "ends too early"),
    "(args.amount > 5": (16, "ends too early"),
    'args.name == "abc': (13, "not closed"),
    r'args.name == "a\q"': (15, "unknown escape"),
    r'args.name == "\ud800"': (14, "no character"),
    "args.amount / 2 > 1": (12, "division"),
    "args.discount > 10%": (18, "percent"),
    "args.amount < 1e5": (15, "not expected"),
    "args.amount < 007": (15, "not expected"),
    "args.amount < +5": (14, "no `+`"),
    "args.amount < 9007199254740992": (14, "2^53-1"),
    "args.in == 1": (5, '["in"]'),
    "amount > 5": (0, "there is no `amount`"),
    "context.policy_id == 'x'": (0, "context.facts"),
    "matches(args.name, 'a+')": (0, "no function `matches`"),
    "args.name.matches('(a+)+$')": (10, "no function `matches`"),
    "has(args)": (0, "`has(args.order_id)`"),
    "has(args.a == 1)": (0, "used like"),
    "size()": (0, "used like"),
    "money(args.amount, 'usd') > 1": (19, "no currency code"),
    "money(args.amount, 'XXX') > 1": (19, "no currency code"),
    "money(facts.amount, 'USD') > 1": (0, "below args"),
    "given(args.items[0])": (0, "fixed path"),
    "args.items.all(item)": (11, "variable and a condition"),
    "args.items.all(args, true)": (11, "already means"),
    "args.a.all(i, i.b.all(j, j.c.all(k, k.d.all(l, l))))": (40, "nest at most"),
    "1 < 2 < 3": (6, "not expected"),
    "{'a': 1, 'a': 2}['a'] == 1": (9, "stands here twice"),
    "args.a ? true": (13, "ends too early"),
    "args.a ? true : false : true": (22, "not expected"),
    "duration('1 day') > duration('1h')": (9, "no duration"),
    "timestamp(args.t, 'Mars/Base') < now": (18, "no time zone"),
    "timestamp(args.t, args.zone) < now": (23, "written out"),
    "timestamp() < now": (0, "used like"),
    "now.getHours('Berlin') > 3": (13, "no time zone"),
    "years(args.a) > 3": (0, "used like"),
    "args.l.sum(1) > 3": (7, "used like"),
    "sum(args.l) > 3": (0, "used like"),
    # types, without any schema
    "now > 5": (4, "compares a timestamp with a number"),
    "now > date('2026-01-01')": (4, "compares a timestamp with a date"),
    "now + now > now": (4, "means nothing"),
    "now - 5 > now": (4, "means nothing"),
    "timestamp(5) > now": (0, "reads a string or a timestamp"),
    "date(tool) > now": (11, "compares a date with a timestamp"),
    "years(now, date('2026-01-01')) > 18": (6, "a date is needed"),
    "tool.sum() > 1": (0, "a list is needed"),
    "['a'].sum() > 1": (6, "adds up numbers"),
    "tool.getHours() > 1": (5, "reads a timestamp"),
    "(tool == 'a' ? 1 : 'b') == 1": (13, "are a number and a string"),
    "data_categories.map(c, size(c))": (16, "true or false"),
    "session.calls.exists(c, c.name == 'x')": (26, "no `name`"),
    "5": (0, "true or false"),
    "args.amount <= '100'": (12, "compares numbers"),
    "'a' < 'b'": (4, "compares numbers"),
    "true > false": (5, "compares numbers"),
    "args.amount + 'a' > 1": (14, "a number is needed"),
    "tool == 5": (5, "is a string"),
    "tool.name == 'x'": (5, "has no members"),
    "destination.account == 'x'": (12, "no `account`"),
    "5 in ['a']": (2, "are each a string"),
    "args.a in [1, 'a']": (10, "one type"),
    "size(5) > 1": (0, "has no size"),
    "args.a.startsWith(5)": (18, "a string is needed"),
    "!args.a.contains('x') && size(args.b)": (25, "true or false is needed"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_refused_with_the_place_and_a_hint(text: str) -> None:
    offset, message = REFUSED[text]
    with pytest.raises(ConditionError) as refused:
        Condition.parse(text)
    assert (refused.value.offset, message in refused.value.message) == (offset, True), refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        "!" * (LONGEST_TEXT - 10) + "args.a",
        "(" * 1900 + "args.a" + ")" * 1900,
        "args" + ".a" * 1900 + " == 1",
        "args.a" + " + 1" * 900 + " > 1",
        "args.a == 1" + " && args.a == 1" * 250,
        "[" * 1900 + "]" * 1900 + " == 1",
        "args.a in [" + ",".join(["1"] * 1900) + "]",
        "-" * 3900 + "5 < 1",
        "x" * (LONGEST_TEXT + 1),
        "args.a" + "[0]" * 1200 + " == 1",
    ],
)
def test_a_text_that_is_too_big_is_refused_quickly(text: str) -> None:
    started = time.perf_counter()
    with suppress(ConditionError):
        Condition.parse(text)
    assert time.perf_counter() - started < 1


def test_parentheses_cost_no_depth() -> None:
    assert parse("(" * 100 + "args.a" + ")" * 100) == parse(" " * 100 + "args.a")
    assert DEEPEST < 100


def _outcome(text: str, args: Any, **further: Any) -> object:
    fields: dict[str, Any] = {"facts": {}, "destination": {}} | further
    call = Call("t", args, "a", "", None, fields["facts"], fields["destination"], None, None, None)
    outcome = Condition.parse(text).test(Inputs(call, {}))
    return outcome.why if isinstance(outcome, Unknown) else outcome


THREE_VALUED = [
    ("args.a == 1 && args.b == 1", {"a": 2}, False),
    ("args.b == 1 && args.a == 1", {"a": 2}, False),
    ("args.a == 1 && args.b == 1", {"a": 1}, "b is missing"),
    ("args.a == 1 || args.b == 1", {"a": 1}, True),
    ("args.b == 1 || args.a == 1", {"a": 1}, True),
    ("args.a == 1 || args.b == 1", {"a": 2}, "b is missing"),
    ("!(args.b == 1)", {}, "b is missing"),
    ("args.l.all(i, i > 0)", {"l": [1, "x", -1]}, False),
    ("args.l.all(i, i > 0)", {"l": [1, "x"]}, 'i is "x", not a number'),
    ("args.l.exists(i, i > 0)", {"l": ["x", 1]}, True),
    ("args.l.exists(i, i > 0)", {"l": ["x", -1]}, 'i is "x", not a number'),
    ("args.l.all(i, i > 0)", {"l": []}, True),
    ("args.l.all(i, i > 0)", {"l": {"a": 1}}, "l is an object with 1 members, not a list"),
    ("args.l.all(i, args.m.exists(j, j == i))", {"l": [1, 2], "m": [2, 1]}, True),
    ("args.a in [1, 2]", {"a": "1"}, 'a is "1", not a number'),
    ("args.a in args.l", {"a": 1, "l": [1, "x"]}, True),
    ("args.a in args.l", {"a": 2, "l": [1, "x"]}, "l has items that can't be compared with 2"),
    ("args.a in args.l", {"a": 2, "l": [1]}, False),
    ("args.a in args.l", {"a": [2], "l": [1]}, "a is [2], not a single value"),
    ('"k" in args', {"k": 1}, True),
    ('"k" in args', {}, False),
    ('"k" in args', {"k": None}, "k is null"),
    ("has(args.a)", {}, False),
    ("has(args.a)", {"a": 0}, True),
    ("has(args.a)", {"a": None}, "a is null"),
    ("has(args.a.b)", {}, "a is missing"),
    ("given(args.a)", {"a": None}, False),
    ("given(args.a)", {"a": "\u200b \t"}, False),
    ("given(args.a)", {"a": []}, False),
    ("given(args.a)", {"a": 0}, True),
    ("given(args.a)", {"a": False}, True),
    ("given(args.a.b)", {}, False),
    ("given(args.a.b)", {"a": "text"}, 'a.b is "text", not an object'),
    ("args.a == null", {"a": None}, True),
    ("args.a != null", {"a": 5}, True),
    ("args.a == null", {}, "a is missing"),
    ("args.a == args.b", {"a": None, "b": None}, "a is null"),
    ("args.a == args.b", {"a": 1, "b": "1"}, 'a is 1 and b is "1": these can\'t be compared'),
    ("args.a == args.b", {"a": True, "b": 1}, "a is true and b is 1: these can't be compared"),
    ("args.a == true", {"a": 1}, "a is 1, not true or false"),
    ("args.a != 'x'", {"a": 1}, "a is 1, not a string"),
    ("args.a == args.b", {"a": [1], "b": [1]}, True),
    ("args.a[1] == 2", {"a": [1, 2]}, True),
    ("args.a[2] == 2", {"a": [1, 2]}, "a has no such item"),
    ("args.a[-1] == 2", {"a": [1, 2]}, "a has no such item"),
    ("args.a[args.k] == 2", {"a": {"x": 2}, "k": "x"}, True),
    ("args.a[args.k] == 2", {"a": [1, 2], "k": True}, "k is true, not a whole number"),
    ("args.a.b.c == 1", {"a": {"b": None}}, "a.b is null"),
    ("size(args.a) == 1", {"a": "😀"}, True),
    ("size(args.a) == 1", {"a": 1}, "a is 1, not a string, a list or an object"),
    ("size(args) == args.n", {"n": 1}, True),
    ("'x' == args.a", {"a": "x"}, True),
    ("'x' != args.a", {"a": "x"}, False),
    ("5 != args.a", {"a": "x"}, 'a is "x", not a number'),
    ("args.a", {"a": "true"}, 'a is "true", not true or false'),
    ("args.a - 1 == 0", {"a": None}, "a is null"),
]


@pytest.mark.parametrize(("text", "args", "expected"), THREE_VALUED)
def test_three_values(text: str, args: Any, expected: object) -> None:
    assert _outcome(text, args) == expected


def test_arithmetic_is_exact() -> None:
    args = json.parse_object(b'{"a": 0.1, "b": 0.2, "c": 0.5, "d": 1e-300, "e": 9007199254740991}')
    assert _outcome("args.a + args.b == 0.3", args) is True
    assert _outcome("args.a * 3 == args.a + args.b", args) is True
    assert _outcome("args.e * args.e - 1 < args.e * args.e", args) is True
    assert "exactly" in str(_outcome("args.c + args.d > 0", args))


def test_long_lists_are_not_looked_through() -> None:
    many = {"l": [1] * (MOST_ITEMS + 1), "m": [1] * MOST_ITEMS}
    assert "at most 1000" in str(_outcome("args.l.all(i, i > 0)", many))
    assert "at most 1000" in str(_outcome("2 in args.l", many))
    assert _outcome("args.m.all(i, i > 0)", many) is True
    started = time.perf_counter()
    assert "more than 2000 items" in str(_outcome("args.m.all(i, args.m.all(j, i + j > 0))", many))
    assert time.perf_counter() - started < 0.5


def test_the_budget_starts_afresh_for_each_call() -> None:
    condition, args = Condition.parse("args.m.all(i, i > 0)"), {"m": [1] * MOST_ITEMS}
    inputs = Inputs(Call("t", args, "a", "", None, {}, {}, None, None, None), {})  # type: ignore[arg-type]
    assert [condition.test(inputs) for _ in range(5)] == [True] * 5


def test_unknown_is_never_taken_for_a_truth_value() -> None:
    with pytest.raises(TypeError):
        bool(Unknown("it isn't known"))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_a_value_is_shown_short_and_on_one_line(value: object) -> None:
    shown = spell(value)
    assert shown.isprintable()
    assert isinstance(value, int) or len(shown) < 1500


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_refused_with_a_place(text: str) -> None:
    offset = 0
    try:
        Condition.parse(text)
    except ConditionError as error:
        offset = error.offset
    assert 0 <= offset <= len(text)


SOUP = (
    "args args.a args.l facts tables now session.calls session_id ( ) [ ] { } , . : ? ! - + * && || == != < <= > >= in "
    "true false null 0 1 2.5 i j 'a' \"gold\" size( has( given( money( date( years( timestamp( duration( .all(i, "
    ".exists(i, .exists_one(j, .map(i, .filter(j, .sum() .min() .max() .distinct() .getHours( .getDayOfWeek( "
    ".startsWith( .lowerAscii() 'USD' 'Europe/Berlin' '2026-02-29' '24h' '../x' i.a [0] ['a'] as /"
)
SHAPES: Any = st.recursive(
    st.one_of(st.sampled_from(["args.a", "args.l", "1", "'a'", "now", "date(args.a)", "i", "[1, 2]", "{'a': 1}"])),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "==", "<", "in", "&&", "||"]), inner).map(" ".join),
        st.tuples(inner, inner, inner).map("({0[0]} ? {0[1]} : {0[2]})".format),
        st.tuples(inner, st.sampled_from(["all", "exists", "exists_one", "map", "filter"]), inner).map(
            "{0[0]}.{0[1]}(i, {0[2]})".format
        ),
        st.tuples(inner, st.sampled_from(["sum", "min", "max", "distinct", "size", "getMonth"])).map(
            "{0[0]}.{0[1]}()".format
        ),
        st.tuples(inner, inner).map("{0[0]}[{0[1]}]".format),
        st.tuples(st.sampled_from(["date", "timestamp", "duration", "size", "!", "-"]), inner).map(
            "{0[0]}({0[1]})".format
        ),
    ),
    max_leaves=12,
)
ANYTHING: Any = st.recursive(
    st.sampled_from([None, True, 0, -1, 10**30, Decimal("0.5"), Decimal("1e-60"), "", "a", "2026-02-29", "9999-12-31"]),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("al"), inner, max_size=2)),
    max_leaves=6,
)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(SOUP.split()), max_size=14).map(" ".join) | SHAPES, ANYTHING, ANYTHING)
def test_whatever_is_written_is_refused_or_decides_without_an_exception(text: str, a: object, items: object) -> None:
    started = time.perf_counter()
    with suppress(ConditionError):
        condition = Condition.parse(text)
        call: Any = Call("t", {"a": a, "l": items}, "a", "s", None, {}, {}, None, None, None, now=0, session_calls=())  # type: ignore[dict-item]
        assert isinstance(condition.test(Inputs(call, {})), bool | Unknown)
    assert time.perf_counter() - started < 2


def test_the_same_text_is_compiled_once() -> None:
    assert Condition.parse("args.a == 1") is Condition.parse("args.a == 1")

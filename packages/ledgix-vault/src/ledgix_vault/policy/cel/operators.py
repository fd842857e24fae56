"""Comparing, searching and computing, each as a closure that knows when it can't tell.

Every closure here is unknown as soon as an operand is missing, null, of another type, or not a finite number.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Any, Final, NamedTuple, TypeAlias, cast

from ledgix_vault.policy.cel.inputs import (
    EXACT,
    MOST_ITEMS,
    MOST_STEPS,
    Inputs,
    Outcome,
    Unknown,
    Value,
    is_number,
    spell,
)

Read: TypeAlias = Callable[[Inputs], Value]
Test: TypeAlias = Callable[[Inputs], Outcome]

ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WHOLE: Final[Mapping[str, Callable[[int, int], int]]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}
_DECIMAL: Final[Mapping[str, Callable[[Any, Any], Decimal]]] = {
    "+": EXACT.add,
    "-": EXACT.subtract,
    "*": EXACT.multiply,
}


class Operand(NamedTuple):
    """One side of an operator: how to read it and what to call it in a reason."""

    read: Read
    label: str


class Constant(NamedTuple):
    """A side that is written out in the condition."""

    value: bool | int | Decimal | str | None


def unusable(value: Value, label: str, wanted: str) -> Unknown:
    """Why `value` can't be used where `wanted` ("a number") is needed."""
    if isinstance(value, Unknown):
        return value
    if value is None:
        return Unknown(f"{label} is null")
    return Unknown(f"{label} is {spell(value)}, not {wanted}")


def order(sign: str, left: Operand, right: Operand) -> Test:
    """`<`, `<=`, `>` or `>=` between two numbers."""
    compare, (read_left, left_label), (read_right, right_label) = ORDERS[sign], left, right

    def test(inputs: Inputs) -> Outcome:
        a, b = read_left(inputs), read_right(inputs)
        if type(a) is type(b) and type(a) in _IN_ORDER:
            return compare(a, b)
        wanted = _NAMED.get(type(b), "a number")
        if not is_number(a):
            return unusable(a, left_label, wanted)
        if not is_number(b):
            return unusable(b, right_label, "a number")
        return compare(a, b)

    return test


_NAMED: Final = {datetime: "a timestamp", date: "a date", timedelta: "a duration"}


def order_constant(sign: str, left: Operand, limit: int | Decimal) -> Test:
    """The same with a fixed number on the right: most limits are this."""
    compare, (read, label) = ORDERS[sign], left

    def test(inputs: Inputs) -> Outcome:
        value = read(inputs)
        if type(value) is int or is_number(value):
            return compare(value, limit)
        return unusable(value, label, "a number")

    return test


def equal(left: Operand, right: Operand, *, wanted: bool) -> Test:
    """`==`, or `!=` when not `wanted`, between two values of one type."""
    (read_left, left_label), (read_right, right_label) = left, right

    def test(inputs: Inputs) -> Outcome:
        a, b = read_left(inputs), read_right(inputs)
        same = same_value(a, b)
        if same is not None:
            return same is wanted
        for value, label in ((a, left_label), (b, right_label)):
            if value is None or isinstance(value, Unknown):
                return unusable(value, label, "")
        return Unknown(f"{left_label} is {spell(a)} and {right_label} is {spell(b)}: these can't be compared")

    return test


def equal_constant(left: Operand, constant: bool | int | Decimal | str, *, wanted: bool) -> Test:
    """The same with a fixed value on one side."""
    read, label = left
    kind, name = (str, "a string") if isinstance(constant, str) else (bool, "true or false")
    if not isinstance(constant, str | bool):
        return _equal_number(left, constant, wanted=wanted)

    def test(inputs: Inputs) -> Outcome:
        value = read(inputs)
        if type(value) is kind:
            return (value == constant) is wanted
        return unusable(value, label, name)

    return test


def _equal_number(left: Operand, constant: int | Decimal, *, wanted: bool) -> Test:
    read, label = left

    def test(inputs: Inputs) -> Outcome:
        value = read(inputs)
        return (value == constant) is wanted if is_number(value) else unusable(value, label, "a number")

    return test


def equal_null(left: Operand, *, wanted: bool) -> Test:
    """`x == null`, the one test that null itself answers; a missing member is still unknown."""
    read = left.read

    def test(inputs: Inputs) -> Outcome:
        value = read(inputs)
        return value if isinstance(value, Unknown) else (value is None) is wanted

    return test


def one_of(left: Operand, constants: frozenset[str] | frozenset[int | Decimal], wanted: str) -> Test:
    """`x in ["a", "b"]` with fixed items that are all strings or all numbers (`wanted` says which)."""
    read, label = left
    strings = wanted == "a string"

    def test(inputs: Inputs) -> Outcome:
        value = read(inputs)
        if type(value) is str if strings else is_number(value):
            return value in constants
        return unusable(value, label, wanted)

    return test


def within(left: Operand, right: Operand) -> Test:
    """`x in list`, and `name in object` for a member that is there and not null."""
    (read_left, left_label), (read_right, right_label) = left, right

    def test(inputs: Inputs) -> Outcome:
        value, container = read_left(inputs), read_right(inputs)
        if value is None or isinstance(value, Unknown | list | tuple | Mapping):
            return unusable(value, left_label, "a single value")
        if isinstance(container, list | tuple):
            return _among(value, container, inputs, right_label)
        if isinstance(container, Mapping):
            return _member(value, container, left_label)
        return unusable(container, right_label, "a list or an object")

    return test


def _among(value: Value, items: list[Any] | tuple[Any, ...], inputs: Inputs, label: str) -> Outcome:
    if (refusal := count_items(items, inputs, label)) is not None:
        return refusal
    doubtful = False
    for item in items:
        same = same_value(value, item)
        if same:
            return True
        doubtful |= same is None
    return Unknown(f"{label} has items that can't be compared with {spell(value)}") if doubtful else False


def _member(name: Value, container: Mapping[str, Any], label: str) -> Outcome:
    if not isinstance(name, str):
        return unusable(name, label, "a string")
    if name not in container:
        return False
    return True if container[name] is not None else Unknown(f"{name} is null")


def count_items(items: list[Any] | tuple[Any, ...], inputs: Inputs, label: str) -> Unknown | None:
    """Takes the items off the condition's budget; the refusal when it is spent."""
    inputs.steps += len(items)
    if len(items) > MOST_ITEMS:
        return Unknown(f"{label} has {len(items)} items; at most {MOST_ITEMS} are looked at")
    if inputs.steps > MOST_STEPS:
        return Unknown(f"more than {MOST_STEPS} items to look at")
    return None


def compute(sign: str, left: Operand, right: Operand) -> Read:
    """`+`, `-` or `*`, exact or unknown."""
    whole, exact, (read_left, left_label), (read_right, right_label) = _WHOLE[sign], _DECIMAL[sign], left, right

    def read(inputs: Inputs) -> Value:
        a, b = read_left(inputs), read_right(inputs)
        if type(a) is int and type(b) is int:
            return whole(a, b)
        if type(a) in _IN_ORDER or type(b) in _IN_ORDER:
            return _compute_times(sign, left, right, a, b)
        if not is_number(a):
            return unusable(a, left_label, "a number")
        if not is_number(b):
            return unusable(b, right_label, "a number")
        try:
            return exact(a, b)
        except DecimalException:
            return Unknown(f"{spell(a)} {sign} {spell(b)} can't be computed exactly")

    return read


def _compute_times(sign: str, left: Operand, right: Operand, a: Value, b: Value) -> Value:
    for value, label in ((a, left.label), (b, right.label)):
        if value is None or isinstance(value, Unknown):
            return unusable(value, label, "")
    found = add_times(sign, a, b)
    return Unknown(f"{spell(a)} {sign} {spell(b)} means nothing") if found is None else found


def add_times(sign: str, a: Value, b: Value) -> Value | None:
    """`a + b` or `a - b` with a moment, a date or a span in it; None where that means nothing. A date moves by whole
    days only."""
    kinds = (type(a), type(b))
    if sign == "+" and kinds[0] is timedelta and kinds[1] is not timedelta:
        a, b, kinds = b, a, (kinds[1], kinds[0])
    if kinds not in _SUMS and not (sign == "-" and kinds in _DIFFERENCES):
        return None
    if kinds == (date, timedelta) and cast(timedelta, b) % timedelta(days=1):
        return None
    try:
        moved: Value = cast(Any, a) + b if sign == "+" else cast(Any, a) - b
        return moved
    except OverflowError:
        return Unknown("the result is beyond the calendar")


_SUMS: Final = frozenset(((datetime, timedelta), (date, timedelta), (timedelta, timedelta)))
_DIFFERENCES: Final = frozenset(((datetime, datetime), (date, date)))


def negative(operand: Operand) -> Read:
    """`-x`."""
    inner, label = operand

    def read(inputs: Inputs) -> Value:
        value = inner(inputs)
        if type(value) is int:
            return -value
        return cast(Decimal, value).copy_negate() if is_number(value) else unusable(value, label, "a number")

    return read


def same_value(a: Value, b: Value) -> bool | None:
    """Whether two values are equal; None if they aren't of one comparable type. Lists and objects are compared by what
    is in them: different as soon as one part is, None as soon as one part can't be compared."""
    kind, other = type(a), type(b)
    if kind is other and kind in _SELF_EQUAL:
        return a == b
    if is_number(a) and is_number(b):
        return a == b
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and _all_same(zip(a, b, strict=True))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and _all_same((a[name], b[name]) for name in a)
    return None


def _all_same(pairs: Iterable[tuple[Any, Any]]) -> bool | None:
    found = [same_value(a, b) for a, b in pairs]
    return False if False in found else None if None in found else True


_SELF_EQUAL: Final = frozenset((str, bool, int, datetime, date, timedelta))
_IN_ORDER: Final = frozenset((datetime, date, timedelta))

"""What a condition looks at, and the third truth value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow, Underflow
from typing import Any, Final, TypeAlias

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.call import Call
from ledgix_vault.policy.money import Money, Path

MOST_ITEMS = 1000
"""A list longer than this isn't looked through: the condition is unknown."""
MOST_STEPS = 2000
"""How many list items one condition may look at in all, nested lists included."""

EXACT = Context(prec=80, traps=[Inexact, InvalidOperation, Overflow, Underflow, DivisionByZero])
"""Decimal arithmetic that raises instead of rounding."""


class Unknown:
    """The condition can't be decided; `why` says so for people. Never truthy by accident."""

    __slots__ = ("why",)

    def __init__(self, why: str) -> None:
        self.why = why

    def __bool__(self) -> bool:
        raise TypeError("unknown is neither true nor false")

    def __repr__(self) -> str:
        return f"Unknown({self.why!r})"


Value: TypeAlias = "Json | Mapping[str, Value] | list[Value] | tuple[str, ...] | datetime | date | timedelta | Unknown"
Outcome: TypeAlias = bool | Unknown


class Inputs:
    """One call as conditions see it; lives for one evaluation and collects what had to be assumed."""

    __slots__ = ("args", "assumed", "call", "items", "money", "steps", "tables")

    def __init__(self, call: Call, money: Mapping[Path, Money]) -> None:
        self.call = call
        self.args = call.args
        self.money = money
        self.tables: JsonObject = {}  # of the policy that is being asked
        self.assumed: list[str] = []
        self.items: list[Value] = []
        self.steps = 0


def is_number(value: object) -> bool:
    """Whether `value` is an exact, finite number; `true` is none, nor is a float."""
    kind = type(value)
    return kind is int or (kind is Decimal and value.is_finite())  # type: ignore[attr-defined]


def spell(value: object) -> str:
    """A value as the trace and reasons show it: short, on one line, strings in quotes."""
    spelling = _SPELLINGS.get(type(value))
    if spelling is not None:
        return spelling(value)
    if isinstance(value, Mapping):
        return f"an object with {len(value)} members"
    return value.why if isinstance(value, Unknown) else f"a {type(value).__name__}"


def printable(text: str, longest: int) -> str:
    """`text` on one line and not too long; characters that show nothing, or turn text around, by their code."""
    shown = text if len(text) <= longest else text[: longest - 1] + "…"
    return shown if shown.isprintable() else "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in shown)


def _quoted(text: str) -> str:
    return f'"{printable(text, 80)}"'


def _decimal(value: Decimal) -> str:
    return format(value, "f") if value.is_finite() and abs(value.adjusted()) < 40 else str(value)


def _list(items: Sequence[object]) -> str:
    if len(items) > 5 or any(isinstance(item, list | dict) for item in items):
        return f"a list of {len(items)} items"
    return f"[{', '.join(spell(item) for item in items)}]"


def _duration(value: timedelta) -> str:
    """Whole days and hours as people say them: "30 days", "24 hours"; anything else in seconds."""
    seconds = value // timedelta(seconds=1)
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds and seconds % length == 0 and value.microseconds == 0:
            count = seconds // length
            return f"{count} {unit}{'' if abs(count) == 1 else 's'}"
    return f"{value.total_seconds():f}".rstrip("0").rstrip(".") + " seconds"


_SPELLINGS: Final[Mapping[type, Callable[[Any], str]]] = {
    type(None): lambda _: "null",
    bool: lambda value: "true" if value else "false",
    int: str,
    str: _quoted,
    Decimal: _decimal,
    list: _list,
    tuple: _list,
    datetime: datetime.isoformat,
    date: date.isoformat,
    timedelta: _duration,
}

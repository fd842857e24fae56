"""What a condition looks at, and the third truth value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow, Underflow
from typing import TypeAlias

from ledgix.formats.json import Json, JsonObject
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


Value: TypeAlias = "Json | Mapping[str, str] | tuple[str, ...] | Unknown"
Outcome: TypeAlias = bool | Unknown


class Inputs:
    """One call as conditions see it; lives for one evaluation and collects what had to be assumed."""

    __slots__ = (
        "agent_id",
        "args",
        "assumed",
        "data_categories",
        "destination",
        "facts",
        "human_principal",
        "items",
        "money",
        "purpose",
        "session_id",
        "steps",
        "tool",
    )

    def __init__(
        self,
        *,
        tool: str,
        args: JsonObject,
        facts: JsonObject,
        agent_id: str,
        session_id: str,
        human_principal: str | None,
        purpose: str | None,
        data_categories: Sequence[str] | None,
        destination: Mapping[str, str],
        money: Mapping[Path, Money],
    ) -> None:
        self.tool = tool
        self.args = args
        self.facts = facts
        self.agent_id = agent_id
        self.session_id = session_id
        self.human_principal = human_principal
        self.purpose = purpose
        self.data_categories = data_categories
        self.destination = destination
        self.money = money
        self.assumed: list[str] = []
        self.items: list[Json] = []
        self.steps = 0


def is_number(value: object) -> bool:
    """Whether `value` is an exact, finite number; `true` is none, nor is a float."""
    kind = type(value)
    return kind is int or (kind is Decimal and value.is_finite())  # type: ignore[attr-defined]


def spell(value: object) -> str:
    """A value as the trace and reasons show it: short, on one line, strings in quotes."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Decimal():
            return format(value, "f") if value.is_finite() and abs(value.adjusted()) < 40 else str(value)
        case str():
            return _quoted(value)
        case list() | tuple() if len(value) <= 5 and not any(isinstance(item, list | dict) for item in value):
            return f"[{', '.join(spell(item) for item in value)}]"
        case list() | tuple():
            return f"a list of {len(value)} items"
        case Mapping():
            return f"an object with {len(value)} members"
        case Unknown():
            return value.why
        case _:
            return f"a {type(value).__name__}"


def _quoted(text: str) -> str:
    shown = text if len(text) <= 80 else text[:79] + "…"
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in shown) + '"'

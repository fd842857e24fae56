"""A call as a person reads it: every argument on a line of its own, money with its currency, nothing hidden.

- Nothing is left out or cut in the table of arguments: who approves must see all of what would run.
- Signs that can't be seen, or that turn text around, are written as escapes: a name must not look like another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import msgspec

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.jsontext import encode, encode_text
from ledgix_vault.notices.visible import visible
from ledgix_vault.policy.money import MINOR_DIGITS, Money, Path, Unit
from ledgix_vault.web.dashboard.words import money as as_money

LONGEST_SUMMARY = 110
MOST_IN_SUMMARY = 4


@dataclass(frozen=True, slots=True)
class Argument:
    """One value of a call. `path` is how conditions name it; `exact` is its JSON where `shown` says it otherwise."""

    path: str
    shown: str
    exact: str = ""
    kind: str = "text"  # text | number | money | literal | empty


def read_arguments(args: JsonObject, money: Mapping[Path, Money] | None = None) -> list[Argument]:
    """Every value of the arguments, in their order. `money` has the fields that the tool's schema declares as such."""
    return list(_read((), args, _Around(args, args, money or {})))


def summary(args: JsonObject, money: Mapping[Path, Money] | None = None) -> str:
    """The call in one line, money first; it may be cut, so it is for lists alone."""
    found = read_arguments(args, money)
    first = sorted(found, key=lambda each: each.kind != "money")
    if first and first[0].kind == "money":
        first = [each for each in first if each.path.rpartition(".")[2] != "currency"]  # it stands beside the amount
    parts = [each.shown if each.kind == "money" else f"{each.path} {each.shown}" for each in first[:MOST_IN_SUMMARY]]
    line = " · ".join(part.replace("\n", " ") for part in parts)
    return line if len(line) <= LONGEST_SUMMARY else f"{line[: LONGEST_SUMMARY - 1]}…"


def pretty(value: Json) -> str:
    """JSON with line ends; its numbers are as they were sent."""
    return msgspec.json.format(encode(value), indent=2).decode()


@dataclass(frozen=True, slots=True)
class _Around:
    """Where a value stands: beside what, and in which arguments."""

    beside: Json
    args: JsonObject
    money: Mapping[Path, Money]


def _read(path: Path, value: Json, around: _Around) -> Iterator[Argument]:
    name = _spelled(path)
    match value:
        case dict() if value:
            for key, inner in value.items():
                yield from _read((*path, key), inner, replace(around, beside=value))
        case list() if value:
            for place, inner in enumerate(value):
                yield from _read((*path, str(place)), inner, replace(around, beside=value))
        case dict() | list():
            if path:
                yield Argument(name, "empty list" if isinstance(value, list) else "empty", kind="empty")
        case str():
            shown = visible(value)
            yield Argument(name, shown or "empty text", encode_text(value) if shown != value or not value else "")
        case bool() | None:
            yield Argument(name, {True: "true", False: "false", None: "null"}[value], kind="literal")
        case _:
            yield _number(path, value, around)


def _number(path: Path, value: int | Decimal, around: _Around) -> Argument:
    exact = encode_text(value)
    declared = around.money.get(path)
    currency = _currency(path, declared, around)
    if not currency:
        return Argument(_spelled(path), exact, kind="number")
    amount = Decimal(str(value))
    if declared is not None and declared.unit is Unit.MINOR:
        digits = MINOR_DIGITS.get(currency)
        if digits is None:
            return Argument(_spelled(path), f"{exact} in the smallest unit of {currency}", exact, "money")
        amount = amount.scaleb(-digits)
    return Argument(_spelled(path), as_money(amount, currency), exact, "money")


def _currency(path: Path, declared: Money | None, around: _Around) -> str:
    """The currency that the schema declares, or the one that stands beside an amount; "" when neither is there."""
    if declared is not None and declared.currency:
        return declared.currency
    told: Any = around.beside
    if declared is not None:
        told = around.args
        for step in declared.currency_field:
            told = told.get(step) if isinstance(told, dict) else None
    else:
        told = told.get("currency") if isinstance(told, dict) and "amount" in path[-1].lower() else None
    return visible(told).upper() if isinstance(told, str) and len(told) == 3 else ""


def _spelled(path: Path) -> str:
    return ".".join(visible(step) for step in path)

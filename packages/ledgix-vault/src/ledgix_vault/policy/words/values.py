"""How the values that a condition looks at are called: "the amount", "the fact order status", "1,000", "30 days"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from ledgix_vault.policy.cel.inputs import spell
from ledgix_vault.policy.cel.times import parse_span
from ledgix_vault.policy.cel.tree import Binary, Function, ListOf, Literal, Name, Negative, Node, path_of

Scope = Mapping[str, str]
"""What the variables of the surrounding `exists` and `all` are called: {"c": "it"}."""

NO_VARIABLES: Final[Scope] = MappingProxyType({})
_NAMES: Final[Mapping[tuple[str, ...], str]] = MappingProxyType(
    {
        ("now",): "the moment of the call",
        ("tool",): "the tool",
        ("agent_id",): "the agent",
        ("session_id",): "the session",
        ("human_principal",): "the person it acts for",
        ("purpose",): "the purpose",
        ("data_categories",): "the data categories",
        ("destination", "provider"): "the receiving provider",
        ("destination", "uri"): "the receiving address",
        ("destination", "account_ref"): "the receiving account",
        ("session", "calls"): "the approved calls of this session",
    }
)
_ROOTS: Final[Mapping[str, str]] = MappingProxyType({"args": "the", "facts": "the fact", "tables": "the table entry"})
_SIGNS: Final[Mapping[str, str]] = MappingProxyType({"+": "plus", "-": "minus", "*": "times"})
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TOTALS: Final[Mapping[str, str]] = MappingProxyType(
    {"sum": "the sum of", "min": "the smallest of", "max": "the largest of", "distinct": "the different ones of"}
)


def name_in_words(name: str) -> str:
    """`orderId` and `order_id` as "order id"."""
    return " ".join(_HUMP.sub(" ", name).replace("_", " ").replace("-", " ").lower().split()) or name


def literal(value: object) -> str:
    """A value as text quotes it: “open”, 1,000, true."""
    match value:
        case bool():
            return "true" if value else "false"
        case None:
            return "empty"
        case str():
            return f"“{value}”"
        case int() | Decimal():
            return f"{value:,}"
        case _:
            return spell(value)


def listed(items: Sequence[str], last: str = "or") -> str:
    """“a”, “b” or “c”."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"


def value_in_words(node: Node, scope: Scope = NO_VARIABLES) -> str | None:
    """What `node` is called in a sentence; None where no plain words fit."""
    match node:
        case Literal(value=value):
            return literal(value)
        case ListOf(items=items):
            named = [value_in_words(item, scope) for item in items]
            return f"({', '.join(name for name in named if name)})" if all(named) else None
        case Function():
            return _function(node, scope)
        case Binary(operator="+" | "-" | "*" as sign, left=left, right=right):
            return _pair(value_in_words(left, scope), _SIGNS[sign], value_in_words(right, scope))
        case Negative(operand=operand):
            return _before("minus", value_in_words(operand, scope))
        case _:
            return _path(node, scope)


def _path(node: Node, scope: Scope) -> str | None:
    path = path_of(node)
    if path is None:
        return None
    if path in _NAMES:
        return _NAMES[path]
    root, *rest = path
    if root in scope:
        return f"{_its(scope[root])} {' '.join(map(name_in_words, rest))}" if rest else scope[root]
    if root == "context" and rest[:1] == ["facts"]:
        root, rest = "facts", rest[1:]
    if root in _ROOTS and rest:
        return f"{_ROOTS[root]} {' '.join(map(name_in_words, rest))}"
    return None


def _its(thing: str) -> str:
    return "its" if thing == "it" else f"{thing}’s"


def _function(node: Function, scope: Scope) -> str | None:
    match node:
        case Function(name="money", operands=(of, *_)) | Function(name="lowerAscii" | "timestamp", operands=(of, *_)):
            return value_in_words(of, scope)
        case Function(name="duration", operands=(Literal(value=str() as text),)):
            span = parse_span(text)
            return None if span is None else spell(span)
        case Function(name="date", operands=(Name(name="now"), *zone)):
            return f"the day of the call{zone_in_words(zone)}"
        case Function(name="date", operands=(Literal(value=str() as text),)):
            return text
        case Function(name="date", operands=(of, *_)):
            return _before("the date of", value_in_words(of, scope))
        case Function(name="size", operands=(of,)):
            return _before("the number of entries in", value_in_words(of, scope))
        case Function(name="years", operands=(start, end)):
            return _pair(_before("the full years from", value_in_words(start, scope)), "to", value_in_words(end, scope))
        case Function(name="getHours", operands=(Name(name="now"), *zone)):
            return f"the hour of the call{zone_in_words(zone)}"
        case Function(name="sum" | "min" | "max" | "distinct" as name, operands=(of,), is_method=True):
            return _before(_TOTALS[name], value_in_words(of, scope))
        case _:
            return None


def zone_in_words(zone: Sequence[Node]) -> str:
    """ " (Europe/Berlin)", and UTC where no zone is written."""
    return f" ({zone[0].value})" if zone and isinstance(zone[0], Literal) else " (UTC)"


def currency_of(node: Node) -> str:
    """ " USD" for `money(args.amount, "USD")`, else nothing."""
    match node:
        case Function(name="money", operands=(_, Literal(value=str() as currency))):
            return f" {currency}"
        case _:
            return ""


def _before(words: str, value: str | None) -> str | None:
    return None if value is None else f"{words} {value}"


def _pair(left: str | None, between: str, right: str | None) -> str | None:
    return None if left is None or right is None else f"{left} {between} {right}"

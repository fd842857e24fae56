"""A condition in plain words: "the amount is more than 1,000 USD".

Words are made from the condition's own tree, so that they can't say anything else than what is decided. What has no
plain words has none: then people see the condition itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from ledgix_vault.policy.cel.inputs import spell
from ledgix_vault.policy.cel.times import parse_span
from ledgix_vault.policy.cel.tree import (
    Binary,
    Choice,
    Each,
    Function,
    ListOf,
    Literal,
    Logic,
    Name,
    Node,
    Not,
    path_of,
)
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.words.values import (
    NO_VARIABLES,
    Scope,
    currency_of,
    listed,
    value_in_words,
    zone_in_words,
)

_SIGNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "==": "is",
        "!=": "is not",
        ">": "is more than",
        ">=": "is at least",
        "<": "is less than",
        "<=": "is at most",
    }
)
_TIMES: Final[Mapping[str, str]] = MappingProxyType(
    {">": "is after", ">=": "is not before", "<": "is before", "<=": "is not after"}
)
_TEXTS: Final[Mapping[str, str]] = MappingProxyType(
    {"startsWith": "starts with", "endsWith": "ends with", "contains": "contains"}
)
_EVERY: Final[Mapping[str, str]] = MappingProxyType(
    {"exists": "for at least one of", "all": "for each of", "exists_one": "for exactly one of"}
)
_SEVERAL: Final = re.compile(r"[^suia']s$")
_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def condition_in_words(condition: Condition) -> str | None:
    """The condition as a part of a sentence; None where no plain words fit."""
    return in_words(condition.node)


def in_words(node: Node, scope: Scope = NO_VARIABLES) -> str | None:
    """Whatever is true or false, as a part of a sentence."""
    match node:
        case Logic(operator=operator, operands=operands):
            return _logic(operator, operands, scope)
        case Not(operand=operand):
            return _not(operand, scope)
        case Binary(operator="in", left=left, right=right):
            return _member(left, right, scope, among="is", negated=False)
        case Binary():
            return _comparison(node, scope)
        case Function(name="given" | "has", operands=(of,)):
            return _after(value_in_words(of, scope), "is given")
        case Function(name=name, operands=(of, part)) if name in _TEXTS:
            return _between(value_in_words(of, scope), _TEXTS[name], value_in_words(part, scope))
        case Each(quantifier=quantifier, of=of, variable=variable, body=body) if quantifier in _EVERY:
            return _each(_EVERY[quantifier], of, variable, body, scope)
        case Choice(condition=condition, then=then, other=other):
            return _choice(in_words(condition, scope), in_words(then, scope), in_words(other, scope))
        case _:
            return _after(value_in_words(node, scope) if path_of(node) else None, "is true")


def _each(how_many: str, of: Node, variable: str, body: Node, scope: Scope) -> str | None:
    """ "for at least one of the changes, its field is “x”"; one inside another would say two things with "its"."""
    if scope:
        return None
    items, inner = value_in_words(of), in_words(body, {variable: "it"})
    return None if items is None or inner is None else f"{how_many} {items}, {inner}"


def _logic(operator: str, operands: Sequence[Node], scope: Scope) -> str | None:
    said = []
    for operand in operands:
        words = in_words(operand, scope)
        if words is None:
            return None
        said.append(f"({words})" if isinstance(operand, Logic | Each) and len(operands) > 1 else words)
    return f" {'and' if operator == '&&' else 'or'} ".join(dict.fromkeys(said))


def _not(operand: Node, scope: Scope) -> str | None:
    match operand:
        case Binary(operator="in", left=left, right=right):
            return _member(left, right, scope, among="is not", negated=True)
        case Binary(operator="==", left=left, right=right):
            return _comparison(Binary(operand.at, "!=", left, right), scope)
        case Function(name="given" | "has", operands=(of,)):
            return _after(value_in_words(of, scope), "is missing")
        case Logic(operator="||", operands=operands):
            said = [_not(each, scope) for each in operands]
            return " and ".join(dict.fromkeys(words for words in said if words)) if all(said) else None
        case Each(quantifier="exists", of=of, variable=variable, body=body):
            return _each("for none of", of, variable, body, scope)
        case _ if path_of(operand):
            return _after(value_in_words(operand, scope), "is not true")
        case _:
            return _before("it is not so that", in_words(operand, scope))


def _member(left: Node, right: Node, scope: Scope, *, among: str, negated: bool) -> str | None:
    if isinstance(left, Function) and left.name == "getDayOfWeek":
        return _weekday(left, right, negated=negated)
    value = value_in_words(left, scope)
    if not isinstance(right, ListOf):
        return _between(value, f"{among} in", value_in_words(right, scope))
    items = [_item(left, item, scope) for item in right.items]
    named = [item for item in items if item is not None]
    if value is None or not named or len(named) < len(items):
        return None
    if negated and len(named) > 1:
        return f"{value} is neither {listed(named, 'nor')}"
    return f"{value} {among} {listed(named)}"


def _item(left: Node, item: Node, scope: Scope) -> str | None:
    """A value of a list; codes of currencies in capitals, which the comparison doesn't tell apart."""
    words = value_in_words(item, scope)
    if words is not None and isinstance(left, Function) and left.name == "lowerAscii":
        path = path_of(left.operands[0])
        return words.upper() if path and path[-1] == "currency" else words
    return words


def _weekday(node: Function, right: Node, *, negated: bool) -> str | None:
    days = right.items if isinstance(right, ListOf) else (right,)
    named = [_DAYS[day.value] for day in days if isinstance(day, Literal) and day.value in range(7)]  # type: ignore[index]
    if len(named) < len(days) or not named or path_of(node.operands[0]) != ("now",):
        return None
    return f"the call is {'not ' if negated else ''}made on a {listed(named)}{zone_in_words(node.operands[1:])}"


def _comparison(node: Binary, scope: Scope) -> str | None:
    special = _weekday_is(node) or _clock(node) or _share(node, scope) or _passed(node, scope)
    if special is not None:
        return special
    sign = node.operator
    if sign not in _SIGNS:
        return None
    left, right = node.left, node.right
    words = _TIMES if sign in _TIMES and (_is_time(left) or _is_time(right)) else _SIGNS
    amount = value_in_words(right, scope)
    if amount is not None and isinstance(right, Literal):
        amount += currency_of(left)
    value = value_in_words(left, scope)
    return _between(value, _for(value, words[sign]), amount)


def _for(value: str | None, words: str) -> str:
    """ "are" for what is several: "the rows are more than 500"."""
    several = value is not None and value.startswith("the ") and " of " not in value and _SEVERAL.search(value)
    return f"are{words[2:]}" if several and words.startswith("is") else words


def _weekday_is(node: Binary) -> str | None:
    match node:
        case Binary(operator="==" | "!=" as sign, left=Function(name="getDayOfWeek") as day, right=Literal() as which):
            return _weekday(day, which, negated=sign == "!=")
        case _:
            return None


def _clock(node: Binary) -> str | None:
    """ "the call is made before 09:00 (Europe/Berlin)" """
    match node:
        case Binary(
            operator="<" | ">=" as sign,
            left=Binary(
                operator="+",
                left=Binary(
                    operator="*",
                    left=Function(name="getHours", operands=(Name(name="now"), *zone)),
                    right=Literal(value=60),
                ),
                right=Function(name="getMinutes", operands=(Name(name="now"), *same)),
            ),
            right=Literal(value=int() as minutes),
        ) if 0 <= minutes <= 24 * 60 and zone_in_words(zone) == zone_in_words(same):
            when = "before" if sign == "<" else "at or after"
            return f"the call is made {when} {minutes // 60:02}:{minutes % 60:02}{zone_in_words(zone)}"
        case _:
            return None


def _share(node: Binary, scope: Scope) -> str | None:
    """ "the amount is more than 10 percent of the fact order total" """
    match node:
        case Binary(
            operator=sign,
            left=Binary(operator="*", left=part, right=Literal(value=100)),
            right=Binary(operator="*", left=whole, right=Literal(value=int() | Decimal() as percent)),
        ) if sign in _SIGNS:
            amount = _before(f"{percent} percent of", value_in_words(whole, scope))
            return _between(value_in_words(part, scope), _SIGNS[sign], amount)
        case _:
            return None


def _passed(node: Binary, scope: Scope) -> str | None:
    """ "more than 30 days have passed since the fact delivered at" """
    match node:
        case Binary(
            operator=">" | ">=" | "<" | "<=" as sign, left=later, right=Binary(operator="+", left=start, right=span)
        ) if _is_now(later) and (length := _span(span)):
            return _since(sign, length, value_in_words(start, scope))
        case Binary(
            operator=">" | ">=" | "<" | "<=" as sign, left=Binary(operator="-", left=later, right=start), right=span
        ) if _is_now(later) and (length := _span(span)):
            return _since(sign, length, value_in_words(start, scope))
        case Binary(
            operator=">" | ">=" | "<" | "<=" as sign, left=start, right=Binary(operator="-", left=later, right=span)
        ) if _is_now(later) and (length := _span(span)):
            return _since({">": "<", ">=": "<=", "<": ">", "<=": ">="}[sign], length, value_in_words(start, scope))
        case Binary(operator="<", left=Name(name="now"), right=start) if _is_time(start):
            return _after(value_in_words(start, scope), "lies in the future")
        case _:
            return None


def _since(sign: str, length: str, start: str | None) -> str | None:
    how = {">": "more than", ">=": "at least", "<": "less than", "<=": "at most"}[sign]
    return _before(f"{how} {length} {'has' if length.startswith('1 ') else 'have'} passed since", start)


def _span(node: Node) -> str | None:
    match node:
        case Function(name="duration", operands=(Literal(value=str() as text),)):
            span = parse_span(text)
            return None if span is None else spell(span)
        case _:
            return None


def _is_now(node: Node) -> bool:
    match node:
        case Name(name="now") | Function(name="date", operands=(Name(name="now"), *_)):
            return True
        case _:
            return False


def _is_time(node: Node) -> bool:
    return _is_now(node) or (isinstance(node, Function) and node.name in ("timestamp", "date"))


def _choice(condition: str | None, then: str | None, other: str | None) -> str | None:
    if condition is None or then is None or other is None:
        return None
    return f"{then} where {condition}, and {other} elsewhere"


def _before(words: str, value: str | None) -> str | None:
    return None if value is None else f"{words} {value}"


def _after(value: str | None, words: str) -> str | None:
    return None if value is None else f"{value} {words}"


def _between(left: str | None, words: str, right: str | None) -> str | None:
    return None if left is None or right is None else f"{left} {words} {right}"

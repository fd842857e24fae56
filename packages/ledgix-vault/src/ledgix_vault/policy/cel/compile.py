"""From a condition's tree to a closure over `Inputs`: True, False or `Unknown`, never an exception.

CEL's error logic: `&&` and `||` (and `all`, `exists`, which are these over a list) are decided as soon as one side
decides; everything else is unknown as soon as an operand is missing, null, of another type, or not a finite number.
Differences from CEL, each towards unknown: `==` between values of different types, `has` and `in` on a member that
is null. One towards known: numbers are numbers, so 50 and 50.5 compare and add.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Final, NoReturn, TypeAlias

from ledgix_vault.policy.cel import functions, lists, operators, times
from ledgix_vault.policy.cel.amounts import amount_in, plain_amount
from ledgix_vault.policy.cel.errors import ConditionError
from ledgix_vault.policy.cel.inputs import Inputs, Outcome, Unknown, Value, spell
from ledgix_vault.policy.cel.operators import Operand, Read, Test, unusable
from ledgix_vault.policy.cel.parse import QUANTIFIERS
from ledgix_vault.policy.cel.roots import ROOTS
from ledgix_vault.policy.cel.tree import (
    Binary,
    Choice,
    Each,
    Function,
    Index,
    ListOf,
    Literal,
    Logic,
    MapOf,
    Name,
    Negative,
    Node,
    Not,
    Select,
    path_of,
    walk,
)
from ledgix_vault.policy.money import MINOR_DIGITS

Scope: TypeAlias = Mapping[str, int]
"""The variables of the surrounding `all` and `exists`, each with its place in `Inputs.items`."""

MOST_NESTED = 3
_PREDICATES: Final = frozenset(("has", "given", *functions.STRING_TESTS))


def compile_condition(root: Node) -> Test:
    """The test that `root` stands for; raises ConditionError for names and functions that don't exist."""
    test = _test(root, {})

    def from_the_start(inputs: Inputs) -> Outcome:
        inputs.steps = 0
        return test(inputs)

    return from_the_start if _looks_through_lists(root) else test


def compile_expression(root: Node) -> Read:
    """The value that `root` stands for; raises ConditionError for names and functions that don't exist."""
    inner = _read(root, {})

    def from_the_start(inputs: Inputs) -> Value:
        inputs.steps = 0
        return inner(inputs)

    return from_the_start


def read_of(node: Node) -> Read:
    """How to look up a path of the condition, for the trace."""
    return _read(node, {})


def label_of(node: Node) -> str:
    """What a reason calls this operand: `amount` for `args.amount`."""
    match node:
        case Literal(value=value):
            return spell(value)
        case Function(name="money" | "timestamp" | "date", operands=(first, *_)):
            return label_of(first)
        case Function(name="sum" | "min" | "max" as name, operands=(of,), is_method=True):
            return f"the {name} of {label_of(of)}"
        case Select() | Index() | Name():
            path = path_of(node)
            if path is None:
                return "an item"
            return ".".join(path[1:] if path[0] == "args" and len(path) > 1 else path)
        case _:
            return "a part of the condition"


def _looks_through_lists(root: Node) -> bool:
    return any(_is_loop(node) for node, _ in walk(root))


def _is_loop(node: Node) -> bool:
    match node:
        case Each() | Binary(operator="in"):
            return True
        case Function(name=name):
            return name in lists.AGGREGATES or name == "distinct"
        case _:
            return False


def _operand(node: Node, scope: Scope) -> Operand:
    return Operand(_read(node, scope), label_of(node))


def _test(node: Node, scope: Scope) -> Test:
    """A closure for a node whose value must be true or false."""
    match node:
        case Logic(operator=operator, operands=operands):
            return _logic([_test(part, scope) for part in operands], deciding=operator == "||")
        case Not(operand=operand):
            return _invert(_test(operand, scope))
        case Binary(operator="==" | "!=" | "<" | "<=" | ">" | ">=" | "in"):
            return _comparison(node, scope)
        case Function(name=name) if name in _PREDICATES:
            return _predicate(node, scope)
        case Each(quantifier="all" | "exists"):
            return _each(node, scope)
        case Each(quantifier="exists_one"):
            of, inner = _loop(node, scope)
            return lists.exactly_one(of, _test(node.body, inner))
        case _:
            return _truth(_operand(node, scope))


def _read(node: Node, scope: Scope) -> Read:
    """A closure for a node's value, whatever its type."""
    match node:
        case Literal(value=value):
            return lambda _: value
        case ListOf(items=items):
            return lists.literal([_read(item, scope) for item in items])
        case MapOf() | Choice() | Each(quantifier="map" | "filter"):
            return _made(node, scope)
        case Name():
            return _name(node, scope)
        case Select():
            return _select(node, scope)
        case Index():
            return _index(node, scope)
        case Negative(operand=operand):
            return operators.negative(_operand(operand, scope))
        case Binary(operator="+" | "-" | "*" as sign, left=left, right=right):
            return operators.compute(sign, _operand(left, scope), _operand(right, scope))
        case Function(name=name) if name not in _PREDICATES:
            return _function(node, scope)
        case Logic() | Not() | Binary() | Each() | Function():
            return _test(node, scope)


def _made(node: MapOf | Choice | Each, scope: Scope) -> Read:
    """A closure for what is made of other values."""
    match node:
        case MapOf(entries=entries):
            return lists.map_literal([(name, _read(value, scope)) for name, value in entries])
        case Choice():
            return _choice(node, scope)
        case Each(quantifier="map"):
            of, inner = _loop(node, scope)
            return lists.mapped(of, _read(node.body, inner))
        case Each():
            of, inner = _loop(node, scope)
            return lists.filtered(of, _test(node.body, inner))


def _choice(node: Choice, scope: Scope) -> Read:
    condition = _test(node.condition, scope)
    then, other = _read(node.then, scope), _read(node.other, scope)

    def read(inputs: Inputs) -> Value:
        outcome = condition(inputs)
        if isinstance(outcome, Unknown):
            return outcome
        return then(inputs) if outcome else other(inputs)

    return read


def _logic(tests: Sequence[Test], *, deciding: bool) -> Test:
    """`&&` is decided by one False, `||` by one True (`deciding`); otherwise one unknown makes the whole unknown."""

    def test(inputs: Inputs) -> Outcome:
        unknown: Unknown | None = None
        for part in tests:
            outcome = part(inputs)
            if outcome is deciding:
                return deciding
            if isinstance(outcome, Unknown) and unknown is None:
                unknown = outcome
        return (not deciding) if unknown is None else unknown

    return test


def _invert(inner: Test) -> Test:
    def test(inputs: Inputs) -> Outcome:
        outcome = inner(inputs)
        return outcome if isinstance(outcome, Unknown) else not outcome

    return test


def _truth(operand: Operand) -> Test:
    read, label = operand

    def test(inputs: Inputs) -> Outcome:
        value = read(inputs)
        return value if isinstance(value, bool) else unusable(value, label, "true or false")

    return test


def _comparison(node: Binary, scope: Scope) -> Test:
    left, right = _operand(node.left, scope), _operand(node.right, scope)
    match node.operator, node.left, node.right:
        case "in", _, ListOf(items=items) if (fixed := _fixed(items)) is not None:
            return operators.one_of(left, *fixed)
        case "in", _, _:
            return operators.within(left, right)
        case "==" | "!=" as sign, _, Literal(value=value):
            return _equality(left, value, wanted=sign == "==")
        case "==" | "!=" as sign, Literal(value=value), _:
            return _equality(right, value, wanted=sign == "==")
        case "==" | "!=" as sign, _, _:
            return operators.equal(left, right, wanted=sign == "==")
        case sign, _, Literal(value=int() | Decimal() as limit) if not isinstance(limit, bool):
            return operators.order_constant(sign, left, limit)
        case sign, _, _:
            return operators.order(sign, left, right)


def _equality(operand: Operand, value: bool | int | Decimal | str | None, *, wanted: bool) -> Test:
    if value is None:
        return operators.equal_null(operand, wanted=wanted)
    return operators.equal_constant(operand, value, wanted=wanted)


def _fixed(items: Sequence[Node]) -> tuple[frozenset[str] | frozenset[int | Decimal], str] | None:
    values = [item.value for item in items if isinstance(item, Literal)]
    strings = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if isinstance(value, int | Decimal) and not isinstance(value, bool)]
    if len(strings) == len(items):
        return frozenset(strings), "a string"
    return (frozenset(numbers), "a number") if len(numbers) == len(items) else None


def _predicate(node: Function, scope: Scope) -> Test:
    match node:
        case Function(name="has", operands=(Select(of=of, field=field) as member,), is_method=False):
            return functions.has(_operand(of, scope), field, label_of(member))
        case Function(name="given", operands=(Select() | Index() | Name() as member,), is_method=False):
            path = path_of(member)
            if path is not None and path[0] in ROOTS and path[0] not in scope:
                return functions.given(ROOTS[path[0]], path[1:], label_of(member))
            raise ConditionError("`given` takes a fixed path: `given(args.order_id)`", node.at)
        case Function(name=name, operands=(of, part), is_method=True) if name in functions.STRING_TESTS:
            return functions.string_test(name, _operand(of, scope), _operand(part, scope))
        case _:
            return _refuse_call(node)


def _function(node: Function, scope: Scope) -> Read:
    match node:
        case Function(name="size", operands=(of,)):
            return functions.size(_operand(of, scope))
        case Function(name="lowerAscii", operands=(of,), is_method=True):
            return functions.lower_ascii(_operand(of, scope))
        case Function(name="money", operands=(Select() | Index() as of, *rest), is_method=False):
            return _money(node, of, rest, scope)
        case Function(name=name, operands=(of,), is_method=True) if name in lists.AGGREGATES:
            return lists.aggregate(name, _operand(of, scope))
        case Function(name="distinct", operands=(of,), is_method=True):
            return lists.distinct(_operand(of, scope))
        case Function(name=name) if name in _TIMES:
            return _time(node, scope)
        case _:
            return _refuse_call(node)


_TIMES: Final = frozenset(("timestamp", "date", "duration", "years", *times.GETTERS))


def _time(node: Function, scope: Scope) -> Read:
    match node:
        case Function(name="timestamp", operands=(of, *zone), is_method=False) if len(zone) <= 1:
            return times.timestamp(_operand(of, scope), _zone(zone))
        case Function(name="date", operands=(of, *zone), is_method=False) if len(zone) <= 1:
            return times.date_of(_operand(of, scope), _zone(zone))
        case Function(name="duration", operands=(Literal(at=at, value=str() as text),), is_method=False) if (
            times.parse_span(text) is None
        ):
            raise ConditionError(f'{spell(text)} is no duration like "24h", "90m" or "30d"', at)
        case Function(name="duration", operands=(of,), is_method=False):
            return times.duration(_operand(of, scope))
        case Function(name="years", operands=(start, end), is_method=False):
            return times.years(_operand(start, scope), _operand(end, scope))
        case Function(name=name, operands=(of, *zone), is_method=True) if name in times.GETTERS and len(zone) <= 1:
            return times.getter(name, _operand(of, scope), _zone(zone) or UTC)
        case _:
            return _refuse_call(node)


def _zone(operands: Sequence[Node]) -> tzinfo | None:
    match operands:
        case []:
            return None
        case [Literal(at=at, value=str() as name)]:
            zone = times.zone_named(name)
            if zone is None:
                raise ConditionError(f'{spell(name)} is no time zone, like "UTC", "-05:00" or "Europe/Berlin"', at)
            return zone
        case [other, *_]:
            raise ConditionError("a time zone is written out, in quotes", other.at)
    raise AssertionError("operands are a sequence")


def _money(node: Function, of: Node, rest: Sequence[Node], scope: Scope) -> Read:
    path = path_of(of)
    if path is None or path[0] != "args" or "args" in scope:
        raise ConditionError("`money` takes a fixed path below args: `money(args.amount)`", node.at)
    match rest:
        case []:
            return plain_amount(path[1:], _read(of, scope))
        case [Literal(value=str() as currency)] if currency in MINOR_DIGITS:
            return amount_in(path[1:], _read(of, scope), currency)
        case [Literal(at=at, value=str() as currency)]:
            raise ConditionError(f'{spell(currency)} is no currency code that limits can use, like "USD"', at)
        case _:
            raise ConditionError('`money` takes a path and a currency code: `money(args.amount, "USD")`', node.at)


USAGE: Final = {
    "has": "`has(args.order_id)`",
    "given": "`given(args.order_id)`",
    "size": "`size(args.items)`",
    "startsWith": '`args.iban.startsWith("DE")`',
    "endsWith": '`args.email.endsWith("@example.com")`',
    "contains": '`args.note.contains("urgent")`',
    "lowerAscii": "`args.currency.lowerAscii()`",
    "money": '`money(args.amount, "USD")`',
    "sum": "`args.items.map(i, i.price).sum()`",
    "min": "`args.scores.min()`",
    "max": "`args.scores.max()`",
    "distinct": "`args.codes.distinct()`",
    "timestamp": '`timestamp(facts.delivered_at)`, or `timestamp(facts.delivered_at, "Europe/Berlin")`',
    "date": '`date(args.day)`, or `date(now, "Europe/Berlin")`',
    "duration": '`duration("24h")`',
    "years": '`years(date(args.born), date(now, "UTC"))`',
    **{name: f'`now.{name}("Europe/Berlin")`' for name in times.GETTERS},
}


def _refuse_call(node: Function) -> NoReturn:
    if node.name in USAGE:
        raise ConditionError(f"`{node.name}` is used like {USAGE[node.name]}", node.at)
    known = ", ".join([*USAGE, *QUANTIFIERS])
    raise ConditionError(f"there is no function `{node.name}`; known are {known}", node.at)


def _name(node: Name, scope: Scope) -> Read:
    if node.name in scope:
        level = scope[node.name]
        return lambda inputs: inputs.items[level]
    if node.name in ROOTS:
        return ROOTS[node.name]
    if node.name == "context":
        raise ConditionError("of the context only `context.facts` can be used", node.at)
    raise ConditionError(f"there is no `{node.name}`; known are {', '.join(ROOTS)} and context.facts", node.at)


def _select(node: Select, scope: Scope) -> Read:
    missing = Unknown(f"{label_of(node)} is missing")
    field = node.field
    match node.of:
        case Name(name="args") if "args" not in scope:
            return lambda inputs: inputs.args.get(field, missing)
        case of:
            return _member(_operand(of, scope), field, missing)


def _member(of: Operand, field: str, missing: Unknown) -> Read:
    inner, label = of

    def read(inputs: Inputs) -> Value:
        value = inner(inputs)
        if isinstance(value, Mapping):
            return value.get(field, missing)
        return unusable(value, label, "an object")

    return read


def _index(node: Index, scope: Scope) -> Read:
    if isinstance(node.key, Literal) and isinstance(node.key.value, str):
        return _select(Select(node.at, node.of, node.key.value), scope)
    (of, of_label), (key, key_label) = _operand(node.of, scope), _operand(node.key, scope)
    missing = Unknown(f"{of_label} has no such item")

    def read(inputs: Inputs) -> Value:
        container, wanted = of(inputs), key(inputs)
        if isinstance(container, Mapping):
            if not isinstance(wanted, str):
                return unusable(wanted, key_label, "a string")
            return container.get(wanted, missing)
        if not isinstance(container, list | tuple):
            return unusable(container, of_label, "a list or an object")
        if type(wanted) is not int:
            return unusable(wanted, key_label, "a whole number")
        return container[wanted] if 0 <= wanted < len(container) else missing

    return read


def _loop(node: Each, scope: Scope) -> tuple[Operand, Scope]:
    """The list to look through, and the scope in which the variable stands for its items."""
    if node.variable in scope or node.variable in ROOTS or node.variable == "context":
        raise ConditionError(f"`{node.variable}` already means something; take another name", node.at)
    if len(scope) >= MOST_NESTED:
        raise ConditionError(f"loops over lists nest at most {MOST_NESTED} deep", node.at)
    return _operand(node.of, scope), {**scope, node.variable: len(scope)}


def _each(node: Each, scope: Scope) -> Test:
    of, inner = _loop(node, scope)
    body, deciding = _test(node.body, inner), node.quantifier == "exists"

    def test(inputs: Inputs) -> Outcome:
        items = lists.items_of(of, inputs)
        if isinstance(items, Unknown):
            return items
        unknown: Unknown | None = None
        for item in items:
            inputs.items.append(item)
            outcome = body(inputs)
            inputs.items.pop()
            if outcome is deciding:
                return deciding
            if isinstance(outcome, Unknown) and unknown is None:
                unknown = outcome
        return (not deciding) if unknown is None else unknown

    return test

"""Type errors in a condition, found before any call: against a tool's schema, or without one in what is fixed.

`Kind.ANY` is what nobody declared; it is accepted everywhere and checked when a call comes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, assert_never

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
)


class Kind(StrEnum):
    """The value of each is what a message calls it."""

    ANY = "anything"
    NUMBER = "a number"
    STRING = "a string"
    BOOL = "true or false"
    NULL = "null"
    LIST = "a list"
    OBJECT = "an object"
    TIMESTAMP = "a timestamp"
    DATE = "a date"
    DURATION = "a duration"


@dataclass(frozen=True, slots=True)
class Type:
    """What is known of a value. `fields` None: an object whose members nobody declared."""

    kind: Kind
    items: Type | None = None
    fields: Mapping[str, Type] | None = None
    is_open: bool = False  # further members than `fields` are declared to be possible


ANY: Final = Type(Kind.ANY)
NUMBER: Final = Type(Kind.NUMBER)
STRING: Final = Type(Kind.STRING)
BOOL: Final = Type(Kind.BOOL)
NULL: Final = Type(Kind.NULL)
TIMESTAMP: Final = Type(Kind.TIMESTAMP)
DATE: Final = Type(Kind.DATE)
DURATION: Final = Type(Kind.DURATION)
STRINGS: Final = Type(Kind.LIST, items=STRING)
UNDECLARED: Final = Type(Kind.OBJECT)

_TIMES = {Kind.TIMESTAMP, Kind.DATE, Kind.DURATION}
_SCALARS = {Kind.NUMBER, Kind.STRING, Kind.BOOL} | _TIMES
_SUMS: Final = {
    ("+", Kind.TIMESTAMP, Kind.DURATION): TIMESTAMP,
    ("+", Kind.DURATION, Kind.TIMESTAMP): TIMESTAMP,
    ("-", Kind.TIMESTAMP, Kind.DURATION): TIMESTAMP,
    ("-", Kind.TIMESTAMP, Kind.TIMESTAMP): DURATION,
    ("+", Kind.DATE, Kind.DURATION): DATE,
    ("+", Kind.DURATION, Kind.DATE): DATE,
    ("-", Kind.DATE, Kind.DURATION): DATE,
    ("-", Kind.DATE, Kind.DATE): DURATION,
    ("+", Kind.DURATION, Kind.DURATION): DURATION,
    ("-", Kind.DURATION, Kind.DURATION): DURATION,
}


@dataclass(frozen=True, slots=True)
class Flaw:
    """One type error; `offset` counts characters from 0 in the condition."""

    message: str
    offset: int
    known_fields: tuple[str, ...] = ()


def type_errors(root: Node, args: Type = UNDECLARED) -> list[Flaw]:
    """What can never work in `root` when the arguments are of type `args`."""
    checker = _Checker(args)
    checker.expect(root, Kind.BOOL, {})
    return checker.flaws


def number_errors(root: Node, args: Type = UNDECLARED) -> list[Flaw]:
    """The same for an expression that must be a number."""
    checker = _Checker(args)
    checker.expect(root, Kind.NUMBER, {})
    return checker.flaws


def value_errors(root: Node, args: Type = UNDECLARED) -> list[Flaw]:
    """The same for an expression of any type."""
    checker = _Checker(args)
    checker.type_of(root, {})
    return checker.flaws


class _Checker:
    """Walks one condition; an error makes the node's type ANY, so that it is reported once."""

    def __init__(self, args: Type) -> None:
        self.flaws: list[Flaw] = []
        self.roots: Mapping[str, Type] = {
            "args": args,
            "facts": UNDECLARED,
            "tables": UNDECLARED,
            "tool": STRING,
            "agent_id": STRING,
            "session_id": STRING,
            "human_principal": STRING,
            "purpose": STRING,
            "data_categories": STRINGS,
            "now": TIMESTAMP,
            "session": Type(
                Kind.OBJECT,
                fields={
                    "calls": Type(
                        Kind.LIST,
                        items=Type(Kind.OBJECT, fields={"tool": STRING, "args": UNDECLARED, "at": TIMESTAMP}),
                    )
                },
            ),
            "destination": Type(
                Kind.OBJECT, fields={"provider": STRING, "uri": STRING, "account_ref": STRING}, is_open=False
            ),
        }

    def flaw(self, message: str, at: int, known_fields: Sequence[str] = ()) -> Type:
        self.flaws.append(Flaw(message, at, tuple(sorted(known_fields))))
        return ANY

    def expect(self, node: Node, wanted: Kind, scope: Mapping[str, Type]) -> Type:
        found = self.type_of(node, scope)
        if found.kind not in (wanted, Kind.ANY):
            return self.flaw(f"{_named(node)} is {found.kind}, but {wanted} is needed here", node.at)
        return found

    def type_of(  # noqa: PLR0912 - one line for each kind of node
        self, node: Node, scope: Mapping[str, Type]
    ) -> Type:
        match node:
            case Literal(value=value):
                return _type_of_literal(value)
            case ListOf():
                return self._list(node, scope)
            case MapOf(entries=entries):
                return Type(Kind.OBJECT, fields={name: self.type_of(value, scope) for name, value in entries})
            case Choice():
                return self._choice(node, scope)
            case Name(name=name):
                return scope.get(name, self.roots.get(name, ANY))
            case Select(of=of, field=field):
                return self._member(node, self.type_of(of, scope), of, field)
            case Index():
                return self._index(node, scope)
            case Not(operand=operand):
                self.expect(operand, Kind.BOOL, scope)
                return BOOL
            case Negative(operand=operand):
                self.expect(operand, Kind.NUMBER, scope)
                return NUMBER
            case Logic(operands=operands):
                for operand in operands:
                    self.expect(operand, Kind.BOOL, scope)
                return BOOL
            case Binary():
                return self._binary(node, scope)
            case Function():
                return self._function(node, scope)
            case Each():
                return self._each(node, scope)
            case _:
                assert_never(node)

    def _member(self, node: Select | Index, outer: Type, of: Node, field: str) -> Type:
        if outer.kind is Kind.ANY:
            return ANY
        if outer.kind is not Kind.OBJECT:
            return self.flaw(f"{_named(of)} is {outer.kind} and has no members", node.at)
        if outer.fields is None:
            return ANY
        if field in outer.fields:
            return outer.fields[field]
        if outer.is_open:
            return ANY
        return self.flaw(f"there is no `{field}` in {_named(of)}", node.at, tuple(outer.fields))

    def _index(self, node: Index, scope: Mapping[str, Type]) -> Type:
        outer, key = self.type_of(node.of, scope), self.type_of(node.key, scope)
        if isinstance(node.key, Literal) and isinstance(node.key.value, str):
            return self._member(node, outer, node.of, node.key.value)
        if key.kind not in (Kind.NUMBER, Kind.STRING, Kind.ANY):
            return self.flaw("a position or a name is needed between the brackets", node.at)
        if outer.kind is Kind.LIST and key.kind is not Kind.STRING:
            return outer.items or ANY
        if outer.kind in (Kind.ANY, Kind.OBJECT) or (outer.kind is Kind.LIST and key.kind is Kind.ANY):
            return ANY
        return self.flaw(f"{_named(node.of)} is {outer.kind}, which has no such members", node.at)

    def _choice(self, node: Choice, scope: Mapping[str, Type]) -> Type:
        self.expect(node.condition, Kind.BOOL, scope)
        then, other = self.type_of(node.then, scope), self.type_of(node.other, scope)
        if then == other:
            return then
        if Kind.ANY in (then.kind, other.kind) or then.kind is other.kind:
            return ANY
        return self.flaw(f"the two sides of `:` are {then.kind} and {other.kind}", node.at)

    def _list(self, node: ListOf, scope: Mapping[str, Type]) -> Type:
        kinds = {self.type_of(item, scope).kind for item in node.items} - {Kind.ANY}
        if len(kinds) > 1:
            return self.flaw("the items of a list must be of one type", node.at)
        return Type(Kind.LIST, items=Type(kinds.pop()) if kinds else ANY)

    def _binary(self, node: Binary, scope: Mapping[str, Type]) -> Type:
        match node.operator:
            case "+" | "-" as sign if (found := self._time_sum(sign, node, scope)) is not None:
                return found
            case "+" | "-" | "*":
                self.expect(node.left, Kind.NUMBER, scope)
                self.expect(node.right, Kind.NUMBER, scope)
                return NUMBER
            case "<" | "<=" | ">" | ">=":
                self._ordered(node, scope)
            case "==" | "!=":
                self._equal(node, scope)
            case _:
                self._within(node, scope)
        return BOOL

    def _time_sum(self, sign: str, node: Binary, scope: Mapping[str, Type]) -> Type | None:
        """The type of a sum with a moment, a date or a span in it; None for a sum of numbers."""
        left, right = self.quietly(node.left, scope), self.quietly(node.right, scope)
        if not {left.kind, right.kind} & _TIMES:
            return None
        self.type_of(node.left, scope)
        self.type_of(node.right, scope)
        if Kind.ANY in (left.kind, right.kind):
            return ANY
        found = _SUMS.get((sign, left.kind, right.kind))
        return found or self.flaw(f"{left.kind} {sign} {right.kind} means nothing", node.at)

    def quietly(self, node: Node, scope: Mapping[str, Type]) -> Type:
        """The type of a node whose flaws are reported elsewhere."""
        before = len(self.flaws)
        found = self.type_of(node, scope)
        del self.flaws[before:]
        return found

    def _ordered(self, node: Binary, scope: Mapping[str, Type]) -> None:
        left, right = self.type_of(node.left, scope), self.type_of(node.right, scope)
        if left.kind in _TIMES or right.kind in _TIMES:
            if left.kind is not right.kind and Kind.ANY not in (left.kind, right.kind):
                self.flaw(f"`{node.operator}` compares {left.kind} with {right.kind}", node.at)
            return
        for side, found in ((node.left, left), (node.right, right)):
            if found.kind not in (Kind.NUMBER, Kind.ANY):
                self.flaw(f"`{node.operator}` compares numbers, but {_named(side)} is {found.kind}", node.at)
                return

    def _equal(self, node: Binary, scope: Mapping[str, Type]) -> None:
        left, right = self.type_of(node.left, scope), self.type_of(node.right, scope)
        if Kind.NULL in (left.kind, right.kind):
            return
        if left.kind is not right.kind and Kind.ANY not in (left.kind, right.kind):
            self.flaw(f"{_named(node.left)} is {left.kind} and {_named(node.right)} is {right.kind}", node.at)

    def _within(self, node: Binary, scope: Mapping[str, Type]) -> None:
        value, container = self.type_of(node.left, scope), self.type_of(node.right, scope)
        if value.kind not in (*_SCALARS, Kind.ANY):
            self.flaw(f"`in` looks for a single value, but {_named(node.left)} is {value.kind}", node.at)
        elif container.kind is Kind.OBJECT:
            self.expect(node.left, Kind.STRING, scope)
        elif container.kind not in (Kind.LIST, Kind.ANY):
            self.flaw(f"`in` looks into lists and objects, but {_named(node.right)} is {container.kind}", node.at)
        elif (items := container.items) and Kind.ANY not in (items.kind, value.kind) and items.kind is not value.kind:
            self.flaw(f"{_named(node.left)} is {value.kind}, the items are each {items.kind}", node.at)

    def _function(self, node: Function, scope: Mapping[str, Type]) -> Type:
        types = [self.type_of(operand, scope) for operand in node.operands]
        match node.name, types:
            case "money", [first, *_]:
                if first.kind not in (Kind.NUMBER, Kind.ANY):
                    self.flaw(f"`money` reads a number, but {_named(node.operands[0])} is {first.kind}", node.at)
                return NUMBER
            case "size", [first]:
                if first.kind not in (Kind.STRING, Kind.LIST, Kind.OBJECT, Kind.ANY):
                    self.flaw(f"{_named(node.operands[0])} is {first.kind} and has no size", node.at)
                return NUMBER
            case (("startsWith" | "endsWith" | "contains" | "lowerAscii"), _):
                for operand in node.operands:
                    self.expect(operand, Kind.STRING, scope)
                return STRING if node.name == "lowerAscii" else BOOL
            case _:
                return self._further_function(node, types, scope)

    def _further_function(self, node: Function, types: Sequence[Type], scope: Mapping[str, Type]) -> Type:
        match node.name, types:
            case (("sum" | "min" | "max"), [first]):
                if first.items and first.items.kind not in (Kind.NUMBER, Kind.ANY):
                    self.flaw(f"`{node.name}` adds up numbers, but the items are each {first.items.kind}", node.at)
                self.expect(node.operands[0], Kind.LIST, scope)
                return NUMBER
            case "distinct", [first]:
                self.expect(node.operands[0], Kind.LIST, scope)
                return first
            case "timestamp", [first, *_]:
                return self._reads(node, first, (Kind.STRING, Kind.TIMESTAMP), TIMESTAMP)
            case "date", [first, *_]:
                return self._reads(node, first, (Kind.STRING, Kind.TIMESTAMP, Kind.DATE), DATE)
            case "duration", [first]:
                return self._reads(node, first, (Kind.STRING, Kind.DURATION), DURATION)
            case "years", [_, _]:
                for operand in node.operands:
                    self.expect(operand, Kind.DATE, scope)
                return NUMBER
            case name, [first, *_] if name.startswith("get"):
                return self._reads(node, first, (Kind.TIMESTAMP, Kind.DATE), NUMBER)
            case _:
                return BOOL

    def _reads(self, node: Function, found: Type, readable: Sequence[Kind], gives: Type) -> Type:
        if found.kind not in (*readable, Kind.ANY):
            wanted = " or ".join(readable)
            self.flaw(f"`{node.name}` reads {wanted}, but {_named(node.operands[0])} is {found.kind}", node.at)
        return gives

    def _each(self, node: Each, scope: Mapping[str, Type]) -> Type:
        found = self.expect(node.of, Kind.LIST, scope)
        inner = {**scope, node.variable: found.items or ANY}
        if node.quantifier == "map":
            return Type(Kind.LIST, items=self.type_of(node.body, inner))
        self.expect(node.body, Kind.BOOL, inner)
        return found if node.quantifier == "filter" else BOOL


def _type_of_literal(value: bool | int | Decimal | str | None) -> Type:
    match value:
        case None:
            return NULL
        case bool():
            return BOOL
        case int() | Decimal():
            return NUMBER
        case str():
            return STRING
        case _:
            assert_never(value)


def _named(node: Node) -> str:
    path = path_of(node)
    if path is not None:
        return f"`{'.'.join(path)}`"
    return f"`{node.value!r}`".replace("'", '"') if isinstance(node, Literal) else "this"

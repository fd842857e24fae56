"""The tree of a condition. `at` is the offset in the condition's text that an error about this node points to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    at: int
    value: bool | int | Decimal | str | None


@dataclass(frozen=True, slots=True)
class ListOf:
    at: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{"a": 1, "b": 2}`"""

    at: int
    entries: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? then : other`"""

    at: int
    condition: Node
    then: Node
    other: Node


@dataclass(frozen=True, slots=True)
class Name:
    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """`of.field`; `at` points to the field."""

    at: int
    of: Node
    field: str


@dataclass(frozen=True, slots=True)
class Index:
    """`of[key]`: a member of an object by name, or an item of a list by position."""

    at: int
    of: Node
    key: Node


@dataclass(frozen=True, slots=True)
class Not:
    at: int
    operand: Node


@dataclass(frozen=True, slots=True)
class Negative:
    at: int
    operand: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """`&&` or `||` over two or more operands."""

    at: int
    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """`== != < <= > >= in + - *`"""

    at: int
    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Function:
    """`name(operands)`, or `first.name(rest)` written as a method."""

    at: int
    name: str
    operands: tuple[Node, ...]
    is_method: bool


@dataclass(frozen=True, slots=True)
class Each:
    """`of.quantifier(variable, body)`; `body` is a condition, or for `map` any value."""

    at: int
    quantifier: str
    of: Node
    variable: str
    body: Node


Node: TypeAlias = (
    Literal | ListOf | MapOf | Choice | Name | Select | Index | Not | Negative | Logic | Binary | Function | Each
)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order of the text."""
    match node:
        case Literal() | Name():
            return ()
        case ListOf(items=items):
            return items
        case MapOf(entries=entries):
            return tuple(value for _, value in entries)
        case Choice(condition=condition, then=then, other=other):
            return (condition, then, other)
        case Select(of=of):
            return (of,)
        case Index(of=of, key=key):
            return (of, key)
        case Not(operand=operand) | Negative(operand=operand):
            return (operand,)
        case Logic(operands=operands) | Function(operands=operands):
            return operands
        case Binary(left=left, right=right):
            return (left, right)
        case Each(of=of, body=body):
            return (of, body)


def walk(root: Node) -> Iterator[tuple[Node, int]]:
    """Every node with its depth, the root at 1; iterative, so that no tree is too deep for it."""
    stack = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        stack.extend((child, depth + 1) for child in reversed(children(node)))


def path_of(node: Node) -> tuple[str, ...] | None:
    """("args", "order", "id") for `args.order.id` and `args["order"]["id"]`; None for what isn't a fixed path."""
    steps: list[str] = []
    while True:
        match node:
            case Name(name=name):
                steps.append(name)
                return tuple(reversed(steps))
            case Select(of=of, field=field):
                steps.append(field)
                node = of
            case Index(of=of, key=Literal(value=str() as key)):
                steps.append(key)
                node = of
            case _:
                return None

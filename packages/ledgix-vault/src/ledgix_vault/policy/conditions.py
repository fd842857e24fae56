"""A condition: its text, and what it does with a call."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from ledgix_vault.policy.cel.compile import compile_condition, compile_expression, label_of, read_of
from ledgix_vault.policy.cel.errors import ConditionError
from ledgix_vault.policy.cel.inputs import spell
from ledgix_vault.policy.cel.operators import Read, Test
from ledgix_vault.policy.cel.parse import parse
from ledgix_vault.policy.cel.roots import MOMENTARY, ROOTS
from ledgix_vault.policy.cel.tree import Binary, Function, Literal, Name, Node, children, path_of, walk
from ledgix_vault.policy.cel.types import type_errors, value_errors
from ledgix_vault.policy.money import Path

MOST_READINGS = 12
"""So many values a trace shows for one condition; the rest would bury the reader."""


class Reading(NamedTuple):
    """Something that a condition looks at: `label` for people, `path` from its root ("args", "amount")."""

    label: str
    path: Path
    read: Read


@dataclass(frozen=True, slots=True)
class Condition:
    """`test` gives True, False or Unknown for one call. Two conditions are equal if their texts are."""

    text: str
    node: Node = field(repr=False, compare=False)
    test: Test = field(repr=False, compare=False)
    reads: tuple[Reading, ...] = field(repr=False, compare=False)
    limit: tuple[str, str] | None = field(repr=False, compare=False)
    """(">", "100 USD") where the condition compares with one fixed number."""
    is_momentary: bool = field(repr=False, compare=False)
    """Whether it looks at the moment or the session of the call, which only the deciding transaction knows."""

    @classmethod
    def parse(cls, text: str) -> Condition:
        """The condition that `text` states; raises ConditionError with the offset of the flaw."""
        return _condition(text)

    def allows_negative(self, path: Path) -> bool:
        """Whether the text itself speaks of negative values of args.`path`: a comparison with a number below zero, or
        `< 0`. A limit that doesn't is no permission for them."""
        return any(_speaks_of_negative(node, ("args", *path)) for node in _nodes(self.node))


@dataclass(frozen=True, slots=True)
class Expression:
    """A value that a policy computes from a call; `read` gives it, or Unknown. Equal if their texts are."""

    text: str
    node: Node = field(repr=False, compare=False)
    read: Read = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Expression:
        """The expression that `text` states; raises ConditionError with the offset of the flaw."""
        node = parse(text)
        read = compile_expression(node)
        for flaw in value_errors(node):
            raise ConditionError(flaw.message, flaw.offset)
        return cls(text, node, read)


@lru_cache(maxsize=8192)
def _condition(text: str) -> Condition:
    node = parse(text)
    test = compile_condition(node)
    for flaw in type_errors(node):
        raise ConditionError(flaw.message, flaw.offset)
    return Condition(
        text=text,
        node=node,
        test=test,
        reads=tuple(_readings(node)),
        limit=_limit(node),
        is_momentary=is_momentary(node),
    )


def is_momentary(root: Node) -> bool:
    """Whether the tree reads `now` or `session`."""
    return any(isinstance(node, Name) and node.name in MOMENTARY for node, _ in walk(root))


def _nodes(root: Node) -> Iterator[Node]:
    yield root
    for child in children(root):
        yield from _nodes(child)


def _readings(root: Node) -> Iterator[Reading]:
    """The paths that the condition reads, each once, in the order of the text; constants are none."""
    seen: set[Path] = set()
    pending = [root]
    while pending:
        node = pending.pop()
        path = path_of(node)
        if path is None:
            pending.extend(reversed(children(node)))
        elif path[0] in ROOTS and path[0] != "tables" and path not in seen and len(seen) < MOST_READINGS:
            seen.add(path)
            yield Reading(label_of(node), path, read_of(node))


def _limit(node: Node) -> tuple[str, str] | None:
    match node:
        case Binary(
            operator="<" | "<=" | ">" | ">=" as sign, left=left, right=Literal(value=int() | Decimal() as value)
        ):
            return sign, f"{spell(value)}{_currency(left)}"
        case _:
            return None


def _currency(node: Node) -> str:
    match node:
        case Function(name="money", operands=(_, Literal(value=str() as currency))):
            return f" {currency}"
        case _:
            return ""


def _speaks_of_negative(node: Node, path: Path) -> bool:
    match node:
        case Binary(operator=sign, left=left, right=Literal(value=int() | Decimal() as value)) if path_of(left) == path:
            return value < 0 or (value == 0 and sign in ("<", "<="))
        case Binary(operator=sign, left=Literal(value=int() | Decimal() as value), right=right) if (
            path_of(right) == path
        ):
            return value < 0 or (value == 0 and sign in (">", ">="))
        case _:
            return False

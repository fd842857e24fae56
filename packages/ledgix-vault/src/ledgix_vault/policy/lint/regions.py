"""Which values a rule's conditions leave for each thing that they compare with a constant.

A region is what is certain: conditions that are no plain comparison (and everything below `||` and `!`) leave all
values. So an empty region proves that the rule never fires; one that isn't empty proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, TypeAlias

from ledgix_vault.policy.cel.tree import Binary, Function, ListOf, Literal, Logic, Node, path_of
from ledgix_vault.policy.conditions import Condition

Constant: TypeAlias = bool | int | Decimal | str
Subject: TypeAlias = tuple[str, ...]
"""A path ("args", "amount"), or ("money", "USD", "args", "amount")."""

_TURNED: Final = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Region:
    """Values above `low`, below `high`, among `allowed` (None: all) and not among `excluded`."""

    low: int | Decimal | None = None
    low_open: bool = False
    high: int | Decimal | None = None
    high_open: bool = False
    allowed: frozenset[Constant] | None = None
    excluded: frozenset[Constant] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether no value at all is left."""
        if self.allowed is not None:
            return not any(self.has(value) for value in self.allowed)
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def has(self, value: Constant) -> bool:
        if self.allowed is not None and value not in self.allowed:
            return False
        if value in self.excluded:
            return False
        if self.low is None and self.high is None:
            return True
        if isinstance(value, str | bool):
            return False
        above = self.low is None or value > self.low or (value == self.low and not self.low_open)
        below = self.high is None or value < self.high or (value == self.high and not self.high_open)
        return above and below

    def within(self, other: Region) -> bool:
        """Whether every value of this region is surely one of `other`."""
        if self.allowed is not None:
            return all(other.has(value) for value in self.allowed if self.has(value))
        if other.allowed is not None or not other.excluded <= self.excluded:
            return False
        return _starts_later(self, other) and _ends_earlier(self, other)

    def and_also(self, sign: str, value: Constant) -> Region:
        """What is left of it where `x sign value` holds as well."""
        match sign:
            case "==":
                return replace(self, allowed=_both(self.allowed, frozenset((value,))))
            case "!=":
                return replace(self, excluded=self.excluded | {value})
            case _ if isinstance(value, str | bool):
                return self
            case ">" | ">=":
                tighter = replace(self, low=value, low_open=sign == ">")
                return tighter if not _starts_later(self, tighter) else self
            case _:
                tighter = replace(self, high=value, high_open=sign == "<")
                return tighter if not _ends_earlier(self, tighter) else self

    def one_of(self, values: frozenset[Constant]) -> Region:
        """What is left of it among `values`."""
        return replace(self, allowed=_both(self.allowed, values))


def _starts_later(inner: Region, outer: Region) -> bool:
    if outer.low is None:
        return True
    if inner.low is None:
        return False
    return inner.low > outer.low or (inner.low == outer.low and (inner.low_open or not outer.low_open))


def _ends_earlier(inner: Region, outer: Region) -> bool:
    if outer.high is None:
        return True
    if inner.high is None:
        return False
    return inner.high < outer.high or (inner.high == outer.high and (inner.high_open or not outer.high_open))


def _both(some: frozenset[Constant] | None, others: frozenset[Constant]) -> frozenset[Constant]:
    return others if some is None else some & others


def regions(conditions: Sequence[Condition]) -> dict[Subject, Region]:
    """What all of `conditions` together leave for each subject that they compare with constants."""
    found: dict[Subject, Region] = {}
    for condition in conditions:
        for atom in _atoms(condition.node):
            if (said := _said(atom)) is not None:
                subject, sign, value = said
                before = found.get(subject, Region())
                found[subject] = before.one_of(value) if isinstance(value, frozenset) else before.and_also(sign, value)
    return found


def is_plain(condition: Condition) -> bool:
    """Whether the condition is nothing but comparisons with constants that all must hold."""
    return all(_said(atom) is not None for atom in _atoms(condition.node))


def contained(inner: Mapping[Subject, Region], outer: Mapping[Subject, Region]) -> bool:
    """Whether whatever is in `inner` is surely in `outer`."""
    return all(inner.get(subject, Region()).within(region) for subject, region in outer.items())


def _atoms(node: Node) -> Iterator[Node]:
    match node:
        case Logic(operator="&&", operands=operands):
            for operand in operands:
                yield from _atoms(operand)
        case _:
            yield node


def _said(node: Node) -> tuple[Subject, str, Constant | frozenset[Constant]] | None:
    match node:
        case Binary(operator="in", left=left, right=ListOf(items=items)):
            values = [item.value for item in items if isinstance(item, Literal) and item.value is not None]
            subject = _subject(left)
            return (subject, "in", frozenset(values)) if subject and len(values) == len(items) else None
        case Binary(operator=sign, left=left, right=Literal(value=value)) if sign in _TURNED and value is not None:
            subject = _subject(left)
            return (subject, sign, value) if subject else None
        case Binary(operator=sign, left=Literal(value=value), right=right) if sign in _TURNED and value is not None:
            subject = _subject(right)
            return (subject, _TURNED[sign], value) if subject else None
        case _:
            return None


def _subject(node: Node) -> Subject | None:
    match node:
        case Function(name="money", operands=(of,)):
            return path_of(of)
        case Function(name="money", operands=(of, Literal(value=str() as currency))):
            path = path_of(of)
            return ("money", currency, *path) if path else None
        case _:
            return path_of(node)

"""Reading back what was stored: whatever isn't exactly as it was written is damage, and said with its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.cel.errors import ConditionError
from ledgix_vault.policy.conditions import Condition, Expression
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.errors import PolicyError, Problem

T = TypeVar("T")


class Reader:
    """Reads the members of one stored object."""

    def __init__(self, stored: Json, where: str, members: frozenset[str]) -> None:
        if not isinstance(stored, dict):
            raise damaged(where, "not an object")
        if stored.keys() != members:
            raise damaged(where, f"missing or unknown members: {', '.join(sorted(stored.keys() ^ members))}")
        self.stored = stored
        self.where = where

    def text(self, name: str) -> str:
        value = self.stored[name]
        if not isinstance(value, str):
            raise self._damaged(name, "not a string")
        return value

    def boolean(self, name: str) -> bool:
        value = self.stored[name]
        if not isinstance(value, bool):
            raise self._damaged(name, "not true or false")
        return value

    def integer(self, name: str) -> int:
        value = self.stored[name]
        if not isinstance(value, int) or isinstance(value, bool):
            raise self._damaged(name, "not a whole number")
        return value

    def object(self, name: str) -> JsonObject:
        value = self.stored[name]
        if not isinstance(value, dict):
            raise self._damaged(name, "not an object")
        return value

    def items(self, name: str) -> list[Json]:
        value = self.stored[name]
        if not isinstance(value, list):
            raise self._damaged(name, "not a list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        items = self.items(name)
        if not all(isinstance(item, str) for item in items):
            raise self._damaged(name, "not a list of strings")
        return tuple(cast(list[str], items))

    def effect(self, name: str) -> Effect:
        value = self.text(name)
        if value not in list(Effect):
            raise self._damaged(name, f"`{value}` is no effect")
        return Effect(value)

    def conditions(self, name: str) -> tuple[Condition, ...]:
        return self._parsed(name, Condition.parse)

    def expressions(self, name: str) -> tuple[Expression, ...]:
        return self._parsed(name, Expression.parse)

    def each(self, name: str, read: Callable[[Json, str], T]) -> tuple[T, ...]:
        """Every item of a list, read by `read(item, place)`."""
        return tuple(read(item, f"{self.where}.{name}[{i}]") for i, item in enumerate(self.items(name)))

    def _parsed(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        found: list[T] = []
        for i, text in enumerate(self.texts(name)):
            try:
                found.append(parse(text))
            except ConditionError as error:
                raise self._damaged(f"{name}[{i}]", error.message) from None
        return tuple(found)

    def _damaged(self, name: str, message: str) -> PolicyError:
        return damaged(f"{self.where}.{name}", message)


def damaged(where: str, message: str) -> PolicyError:
    """What reading a stored policy raises."""
    return PolicyError([Problem(message, where=where)])

"""Typed reading of an answer's members: what isn't as the contract says raises AnswerInvalid and names the member."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from ledgix.client.errors import AnswerInvalid
from ledgix.errors import JsonError
from ledgix.formats import json as exact
from ledgix.formats.json import JsonObject, kind_of

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

# A request nests at most 32 levels; a ledger answer wraps it into entries, intent and request.
_ANSWER_DEPTH = 48


def parse(body: bytes) -> JsonObject:
    """The JSON object that an answer's body holds."""
    try:
        return exact.parse_object(body, max_depth=_ANSWER_DEPTH)
    except JsonError as error:
        raise AnswerInvalid(f"the Vault's answer is not usable JSON: {error}") from error


class Members:
    """One JSON object of an answer. Members that nobody reads are ignored."""

    def __init__(self, value: JsonObject, what: str) -> None:
        self.value = value
        self.what = what

    def text(self, name: str) -> str:
        return self._typed(name, str, "a string")

    def text_or_none(self, name: str) -> str | None:
        return None if self.value.get(name) is None else self.text(name)

    def text_or(self, name: str, absent: str) -> str:
        return self.text(name) if name in self.value else absent

    def boolean(self, name: str) -> bool:
        return self._typed(name, bool, "true or false")

    def integer(self, name: str) -> int:
        if isinstance(self.value.get(name), bool):
            raise self.invalid(name, "must be a whole number")
        return self._typed(name, int, "a whole number")

    def object(self, name: str) -> JsonObject:
        return self._typed(name, dict, "an object")

    def object_or_none(self, name: str) -> JsonObject | None:
        return None if self.value.get(name) is None else self.object(name)

    def objects(self, name: str) -> list[JsonObject]:
        items = self._typed(name, list, "a list")
        for item in items:
            if not isinstance(item, dict):
                raise self.invalid(name, f"must hold objects, not {kind_of(item)}")
        return items

    def texts(self, name: str) -> list[str]:
        items = self._typed(name, list, "a list")
        for item in items:
            if not isinstance(item, str):
                raise self.invalid(name, f"must hold strings, not {kind_of(item)}")
        return items

    def one_of(self, name: str, members: type[E]) -> E:
        text = self.text(name)
        if text not in tuple(members):
            raise self.invalid(name, f"is {text!r}, which the contract does not know")
        return members(text)

    def invalid(self, name: str, complaint: str) -> AnswerInvalid:
        return AnswerInvalid(f"the Vault's answer ({self.what}) breaks the contract: {name} {complaint}")

    def _typed(self, name: str, kind: type[T], wanted: str) -> T:
        if name not in self.value:
            raise self.invalid(name, "is missing")
        value = self.value[name]
        if not isinstance(value, kind):
            raise self.invalid(name, f"must be {wanted}, not {kind_of(value)}")
        return value

"""What is wrong with a policy or a tool schema, for the person who wrote it.

PolicyError        one or more problems, each with its place; nothing was accepted
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledgix.formats.json import JsonObject


@dataclass(frozen=True, slots=True)
class Problem:
    """One flaw. `line` and `column` count from 1 in the definition text and are None where there is no text."""

    message: str
    line: int | None = None
    column: int | None = None
    where: str = ""
    known_fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line is not None else ""
        known = f" Known fields: {', '.join(self.known_fields)}." if self.known_fields else ""
        return f"{place}{self.where + ': ' if self.where else ''}{self.message}{known}"

    def to_json(self) -> JsonObject:
        """For the `problems` of an error answer; absent places are left out."""
        found: JsonObject = {"message": self.message}
        if self.line is not None:
            found["line"] = self.line
        if self.column is not None:
            found["column"] = self.column
        if self.where:
            found["where"] = self.where
        if self.known_fields:
            found["known_fields"] = list(self.known_fields)
        return found


class PolicyError(Exception):
    """A policy or tool schema that is refused as a whole; `problems` names every flaw that was found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = tuple(problems)

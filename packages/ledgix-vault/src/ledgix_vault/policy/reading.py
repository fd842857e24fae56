"""Taking a definition's tree apart: every problem is kept, so that a person mends all of them at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from ledgix.errors import FormatError
from ledgix.formats import json
from ledgix.formats.json import Json
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.errors import Problem
from ledgix_vault.policy.globs import LONGEST_GLOB
from ledgix_vault.policy.marked import Items, Marked, Members, Text

MOST_CONDITIONS: Final = 50
LONGEST_TEXT: Final = 4000
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


class DefinitionReader:
    """Reads one member after the other; `problems` has what was wrong."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, node: Marked, message: str, where: str, known: Sequence[str] = ()) -> None:
        self.problems.append(Problem(message, node.line, node.column, where, tuple(known)))

    def members(
        self, node: Marked, where: str, known: Sequence[str], required: Sequence[str] = ()
    ) -> Mapping[str, Marked]:
        if not isinstance(node, Members):
            self.problem(node, f"must be a mapping with {', '.join(known)}", where)
            return {}
        for name, (key, _) in node.members.items():
            if name not in known:
                self.problem(key, f"unknown member `{name}`", where, known)
        for name in required:
            if name not in node.members:
                self.problem(node, f"`{name}` is missing", where)
        return {name: value for name, (_, value) in node.members.items()}

    def items(self, node: Marked | None, where: str, most: int) -> Sequence[Marked]:
        if node is None:
            return ()
        if not isinstance(node, Items):
            self.problem(node, "must be a list", where)
            return ()
        if len(node.items) > most:
            self.problem(node, f"has {len(node.items)} items; at most {most} are allowed", where)
            return ()
        return node.items

    def text(self, node: Marked | None, where: str, longest: int = LONGEST_TEXT) -> str:
        if node is None:
            return ""
        if not isinstance(node, Text):
            self.problem(node, "must be a text; put it in quotes", where)
            return ""
        if node.read_as:
            self.problem(node, f"`{node.value}` reads as {node.read_as} in YAML; put it in quotes", where)
        elif len(node.value) > longest:
            self.problem(node, f"is longer than {longest} characters", where)
        return node.value

    def effect(self, node: Marked | None, where: str) -> Effect | None:
        text = self.text(node, where)
        if not isinstance(node, Text) or node.read_as:
            return None
        if text in list(Effect):
            return Effect(text)
        self.problem(node, f"`{text}` is no effect; it is one of approve, review, deny", where)
        return None

    def boolean(self, node: Marked | None, where: str) -> bool:
        """False when it is left out."""
        if node is None:
            return False
        if not isinstance(node, Text) or node.value not in ("true", "false") or not node.read_as:
            self.problem(node, "must be true or false, without quotes", where)
            return False
        return node.value == "true"

    def conditions(self, node: Marked | None, where: str) -> tuple[Text, ...]:
        items = self.items(node, where, MOST_CONDITIONS)
        for i, item in enumerate(items):
            self.text(item, f"{where}[{i}]")
        return tuple(item for item in items if isinstance(item, Text))

    def tools(self, node: Marked | None, where: str) -> tuple[str, ...]:
        globs = self.items(node, where, 200)
        found = [self.text(glob, f"{where}[{i}]", LONGEST_GLOB) for i, glob in enumerate(globs)]
        for glob, text in zip(globs, found, strict=True):
            if not text:
                self.problem(glob, "a tool pattern isn't empty; leave `tools` out to mean every tool", where)
        return tuple(found)

    def value(self, node: Marked, where: str, *, may_be_null: bool = False) -> Json:
        """Any value, as JSON would have it; null only where it means something."""
        match node:
            case Members(members=members):
                return {
                    name: self.value(inner, f"{where}.{name}", may_be_null=may_be_null)
                    for name, (_, inner) in members.items()
                }
            case Items(items=items):
                return [self.value(item, f"{where}[{i}]", may_be_null=may_be_null) for i, item in enumerate(items)]
            case Text(value=value, read_as=""):
                return value
            case Text(value="true" | "false" as value):
                return value == "true"
            case Text(value="null") if may_be_null:
                return None
            case Text(read_as="a number", value=value):
                return self._json_number(node, value, where)
            case Text(read_as=read_as):
                self.problem(node, f"`{node.value}` reads as {read_as} in YAML; put it in quotes", where)
        return None

    def _json_number(self, node: Marked, value: str, where: str) -> Json:
        try:
            return json.parse(value.encode())
        except FormatError:
            self.problem(node, f"`{value}` is no number that every reader reads alike; write it as in JSON", where)
            return None

    def id(self, found: Mapping[str, Marked], name: str, where: str) -> str:
        """The identifier in member `name`, which has to be there."""
        text = self.text(found.get(name), f"{where}.{name}")
        if name in found and not _ID.fullmatch(text):
            self.problem(found[name], "an id has 1 to 64 letters, digits, `_`, `.` or `-`", f"{where}.{name}")
        return text

    def unique(self, named: Sequence[tuple[str, Marked]], where: str) -> None:
        """Every id once."""
        seen: set[str] = set()
        for name, at in named:
            if name in seen:
                self.problem(at, f"two {where} have the id `{name}`", where)
            seen.add(name)

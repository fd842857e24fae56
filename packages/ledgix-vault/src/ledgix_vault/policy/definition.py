"""The definition of a policy's rules as a person writes it.

    rules:
      - id: small-refunds
        effect: approve              # approve, review or deny
        tools: [stripe_refund]       # globs; left out: every tool that the policy covers
        when:                        # conditions, all of which must hold; `[]`: always
          - args.amount >= 0
          - args.amount <= 100
        source: "Refunds up to $100 need nobody's approval."
    otherwise: review                # what becomes of calls that no rule speaks about
    action_category: payments

Unknown members are refused. Every flaw is reported, each with line and column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.globs import LONGEST_GLOB
from ledgix_vault.policy.marked import Items, Marked, Members, Text, read
from ledgix_vault.policy.model import Effect

MOST_RULES: Final = 1000
MOST_CONDITIONS: Final = 50
LONGEST_TEXT: Final = 4000

_TOP: Final = ("rules", "otherwise", "action_category")
_RULE: Final = ("id", "effect", "tools", "when", "source")
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class WrittenRule:
    """A rule whose conditions aren't compiled yet. `at` is where it starts."""

    id: str
    effect: Effect
    tools: tuple[str, ...]
    when: tuple[Text, ...]
    source: str
    at: Marked


@dataclass(frozen=True, slots=True)
class Definition:
    """What a definition's text says. `otherwise` is review when it doesn't say."""

    rules: tuple[WrittenRule, ...]
    otherwise: Effect
    action_category: str


def parse_definition(text: str) -> Definition:
    """Raises PolicyError with every flaw that was found."""
    root = read(text)
    reader = _Reader()
    top = reader.members(root, "the definition", _TOP, required=("rules",))
    rules = [reader.rule(item, i) for i, item in enumerate(reader.items(top.get("rules"), "rules", MOST_RULES))]
    reader.unique([rule for rule in rules if rule])
    definition = Definition(
        tuple(rule for rule in rules if rule),
        reader.effect(top.get("otherwise"), "otherwise") or Effect.REVIEW,
        reader.text(top.get("action_category"), "action_category", longest=64),
    )
    if reader.problems:
        raise PolicyError(reader.problems)
    return definition


class _Reader:
    """Takes the tree apart and keeps every problem, so that a person mends all of them at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def problem(self, node: Marked, message: str, where: str, known: Sequence[str] = ()) -> None:
        self.problems.append(Problem(message, node.line, node.column, where, tuple(known)))

    def members(self, node: Marked, where: str, known: Sequence[str], required: Sequence[str]) -> Mapping[str, Marked]:
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

    def rule(self, node: Marked, number: int) -> WrittenRule | None:
        where = f"rules[{number}]"
        found = self.members(node, where, _RULE, required=("id", "effect", "when"))
        rule_id = self.text(found.get("id"), f"{where}.id")
        if "id" in found and not _ID.fullmatch(rule_id):
            self.problem(found["id"], "an id has 1 to 64 letters, digits, `_`, `.` or `-`", f"{where}.id")
        effect = self.effect(found.get("effect"), f"{where}.effect")
        when = self.conditions(found.get("when"), f"{where}.when")
        tools = self.tools(found.get("tools"), f"{where}.tools")
        source = self.text(found.get("source"), f"{where}.source")
        if effect is None:
            return None
        return WrittenRule(rule_id, effect, tools, when, source, node)

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

    def unique(self, rules: Sequence[WrittenRule]) -> None:
        seen: set[str] = set()
        for rule in rules:
            if rule.id in seen:
                self.problem(rule.at, f"two rules have the id `{rule.id}`", "rules")
            seen.add(rule.id)

"""A policy: rules that decide, text that couldn't become rules, and what happens to calls that no rule speaks about.

Invariants:

- A document is immutable; `content_hash` is SHA-256 over the JCS of everything in it.
- The stored form carries each condition as text; reading it back gives the same conditions, whatever the English
  compiler of that day would make of the sentences.
- `otherwise` is only ever approve where the contract's section 4 allows it: see `settled_otherwise`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Self, cast

from ledgix.formats import jcs
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.cel.errors import ConditionError
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.schemas import ToolSchema

__all__ = ["Condition", "Effect", "PolicyDocument", "Rule", "settled_otherwise"]


class Effect(StrEnum):
    """What a rule or a policy says about a call; the later beats the earlier."""

    APPROVE = "approve"
    REVIEW = "review"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Rule:
    """Fires when all of `when` hold. `tools` empty: for every tool that the policy covers. `source` is the sentence or
    clause it stands for; `assumptions` are what a person confirmed with it."""

    id: str
    effect: Effect
    tools: tuple[str, ...]
    when: tuple[Condition, ...]
    source: str = ""
    assumptions: tuple[str, ...] = ()

    @property
    def quote(self) -> str:
        """The rule in words: its source, or its own text."""
        if self.source:
            return self.source
        conditions = " and ".join(condition.text for condition in self.when)
        return f"{self.effect} when {conditions}" if conditions else f"{self.effect} always"

    def to_json(self) -> JsonObject:
        return {
            "id": self.id,
            "effect": str(self.effect),
            "tools": list(self.tools),
            "when": [condition.text for condition in self.when],
            "source": self.source,
            "assumptions": list(self.assumptions),
        }


@dataclass(frozen=True)
class PolicyDocument:
    """One immutable version of a policy. `tools` empty: it covers every tool. `uncompiled` are those of `sentences`
    that no rule stands for; `definition` is the YAML or JSON as it was sent, "" if none was."""

    policy_id: str
    description: str
    tools: tuple[str, ...]
    rules: tuple[Rule, ...]
    uncompiled: tuple[str, ...]
    sentences: tuple[str, ...]
    otherwise: Effect
    action_category: str
    definition: str

    def to_json(self) -> JsonObject:
        """The stored form, and what `content_hash` covers."""
        return {
            "v": 1,
            "policy_id": self.policy_id,
            "description": self.description,
            "tools": list(self.tools),
            "rules": [rule.to_json() for rule in self.rules],
            "uncompiled": list(self.uncompiled),
            "sentences": list(self.sentences),
            "otherwise": str(self.otherwise),
            "action_category": self.action_category,
            "definition": self.definition,
        }

    @cached_property
    def content_hash(self) -> str:
        """64 hex characters."""
        return jcs.sha256_hex(self.to_json())

    @classmethod
    def from_json(cls, stored: JsonObject, schemas: Mapping[str, ToolSchema]) -> Self:
        """Reads back what `to_json` gave; raises PolicyError for anything else.

        The schemas of today don't decide whether a version can be read: a field that is gone since makes its
        conditions unknown, call by call.
        """
        reader = _Reader(stored, "policy")
        reader.only(_MEMBERS)
        if stored["v"] != 1:
            raise _damaged("policy.v", "an unknown version of the stored form")
        return cls(
            policy_id=reader.text("policy_id"),
            description=reader.text("description"),
            tools=reader.texts("tools"),
            rules=tuple(_rule(rule, f"policy.rules[{i}]") for i, rule in enumerate(reader.items("rules"))),
            uncompiled=reader.texts("uncompiled"),
            sentences=reader.texts("sentences"),
            otherwise=reader.effect("otherwise"),
            action_category=reader.text("action_category"),
            definition=reader.text("definition"),
        )


def settled_otherwise(
    wanted: Effect, *, tools: tuple[str, ...], rules: tuple[Rule, ...], uncompiled: tuple[str, ...]
) -> Effect:
    """Contract section 4: `otherwise: approve` needs a compiled rule, no uncompiled sentence, and named tools."""
    if wanted is Effect.APPROVE and not (rules and tools and not uncompiled):
        return Effect.REVIEW
    return wanted


_MEMBERS = frozenset(
    (
        "v",
        "policy_id",
        "description",
        "tools",
        "rules",
        "uncompiled",
        "sentences",
        "otherwise",
        "action_category",
        "definition",
    )
)
_RULE_MEMBERS = frozenset(("id", "effect", "tools", "when", "source", "assumptions"))


def _rule(stored: Json, where: str) -> Rule:
    if not isinstance(stored, dict):
        raise _damaged(where, "not an object")
    reader = _Reader(stored, where)
    reader.only(_RULE_MEMBERS)
    return Rule(
        id=reader.text("id"),
        effect=reader.effect("effect"),
        tools=reader.texts("tools"),
        when=tuple(_condition(text, f"{where}.when[{i}]") for i, text in enumerate(reader.texts("when"))),
        source=reader.text("source"),
        assumptions=reader.texts("assumptions"),
    )


def _condition(text: str, where: str) -> Condition:
    try:
        return Condition.parse(text)
    except ConditionError as error:
        raise _damaged(where, error.message) from None


class _Reader:
    """Reads the members of a stored object; whatever isn't as `to_json` writes it is damage."""

    def __init__(self, stored: JsonObject, where: str) -> None:
        self.stored = stored
        self.where = where

    def only(self, members: frozenset[str]) -> None:
        if self.stored.keys() != members:
            different = ", ".join(sorted(self.stored.keys() ^ members))
            raise _damaged(self.where, f"missing or unknown members: {different}")

    def text(self, name: str) -> str:
        value = self.stored[name]
        if not isinstance(value, str):
            raise _damaged(f"{self.where}.{name}", "not a string")
        return value

    def items(self, name: str) -> list[Json]:
        value = self.stored[name]
        if not isinstance(value, list):
            raise _damaged(f"{self.where}.{name}", "not a list")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        items = self.items(name)
        if not all(isinstance(item, str) for item in items):
            raise _damaged(f"{self.where}.{name}", "not a list of strings")
        return tuple(cast(list[str], items))

    def effect(self, name: str) -> Effect:
        value = self.text(name)
        if value not in list(Effect):
            raise _damaged(f"{self.where}.{name}", f"`{value}` is no effect")
        return Effect(value)


def _damaged(where: str, message: str) -> PolicyError:
    return PolicyError([Problem(message, where=where)])

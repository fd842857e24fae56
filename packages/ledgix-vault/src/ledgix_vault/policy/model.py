"""A policy: rules that decide, text that couldn't become rules, and what happens to calls that no rule speaks about.

Invariants:

- A document is immutable; `content_hash` is SHA-256 over the JCS of everything in it.
- The stored form carries each condition as text; reading it back gives the same conditions, whatever the English
  compiler of that day would make of the sentences.
- `otherwise` is only ever approve where the contract's section 4 allows it: see `settled_otherwise`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from ledgix.formats import jcs
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.parts import Destinations, JudgeTerms, Limit, Register, Source
from ledgix_vault.policy.schemas import ToolSchema
from ledgix_vault.policy.stored import Reader, damaged

__all__ = ["Condition", "Effect", "PolicyDocument", "Rule", "settled_otherwise"]


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
    that no rule stands for, `set_aside` those of them that a person marked as not applicable; `tables` are constants
    that conditions look things up in; `definition` is the YAML or JSON as it was sent, "" if none was;
    `retry_after_unknown` allows one more mint of a call that it decided, after its outcome was reported as unknown."""

    policy_id: str
    description: str
    tools: tuple[str, ...]
    rules: tuple[Rule, ...]
    uncompiled: tuple[str, ...]
    sentences: tuple[str, ...]
    otherwise: Effect
    action_category: str
    definition: str
    tables: JsonObject = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    destinations: tuple[Destinations, ...] = ()
    registers: tuple[Register, ...] = ()
    judge: JudgeTerms | None = None
    sources: tuple[Source, ...] = ()
    set_aside: tuple[str, ...] = ()
    retry_after_unknown: bool = False

    def to_json(self) -> JsonObject:
        """The stored form, and what `content_hash` covers: the oldest of forms 1, 2 and 3 that holds everything."""
        stored: JsonObject = {
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
        further: JsonObject = {
            "tables": self.tables,
            "limits": [limit.to_json() for limit in self.limits],
            "destinations": [destinations.to_json() for destinations in self.destinations],
            "registers": [register.to_json() for register in self.registers],
            "judge": None if self.judge is None else self.judge.to_json(),
            "sources": [source.to_json() for source in self.sources],
            "set_aside": list(self.set_aside),
        }
        if self.retry_after_unknown:
            return stored | further | {"retry_after_unknown": True, "v": 3}
        return stored | further | {"v": 2} if any(further.values()) else stored

    @cached_property
    def open_text(self) -> tuple[str, ...]:
        """What no rule stands for and nobody marked as not applicable: it sends the covered tools to a person."""
        left = tuple(sentence for sentence in self.uncompiled if sentence not in self.set_aside)
        return left + tuple(f"the document {source.name}" for source in self.sources if not source.settled)

    @cached_property
    def rests_on_people(self) -> bool:
        """Whether a person marked text as not applicable: rules that decide beside it are sure, but not surest."""
        return bool(self.set_aside) or any(source.settled for source in self.sources)

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
        version = stored.get("v")
        if not isinstance(version, int) or version not in _FORMS:
            raise damaged("policy.v", "an unknown version of the stored form")
        reader = Reader(stored, "policy", _FORMS[version])
        first = cls(
            policy_id=reader.text("policy_id"),
            description=reader.text("description"),
            tools=reader.texts("tools"),
            rules=reader.each("rules", _rule),
            uncompiled=reader.texts("uncompiled"),
            sentences=reader.texts("sentences"),
            otherwise=reader.effect("otherwise"),
            action_category=reader.text("action_category"),
            definition=reader.text("definition"),
        )
        if version == 1:
            return first
        return replace(
            first,
            tables=reader.object("tables"),
            limits=reader.each("limits", Limit.from_json),
            destinations=reader.each("destinations", Destinations.from_json),
            registers=reader.each("registers", Register.from_json),
            judge=_judge(stored["judge"]),
            sources=reader.each("sources", Source.from_json),
            set_aside=reader.texts("set_aside"),
            retry_after_unknown=version == 3 and reader.boolean("retry_after_unknown"),
        )


def settled_otherwise(document: PolicyDocument) -> Effect:
    """Contract section 4: `otherwise: approve` needs something executable (a rule, a limit, a list of counterparties or
    of registers), no text that is left open, and named tools."""
    executable = document.rules or document.limits or document.destinations or document.registers
    if document.otherwise is Effect.APPROVE and not (executable and document.tools and not document.open_text):
        return Effect.REVIEW
    return document.otherwise


_FORM_1 = frozenset(
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
_FORM_2 = _FORM_1 | {"tables", "limits", "destinations", "registers", "judge", "sources", "set_aside"}
_FORMS = {1: _FORM_1, 2: _FORM_2, 3: _FORM_2 | {"retry_after_unknown"}}
_RULE_MEMBERS = frozenset(("id", "effect", "tools", "when", "source", "assumptions"))


def _rule(stored: Json, where: str) -> Rule:
    reader = Reader(stored, where, _RULE_MEMBERS)
    return Rule(
        id=reader.text("id"),
        effect=reader.effect("effect"),
        tools=reader.texts("tools"),
        when=reader.conditions("when"),
        source=reader.text("source"),
        assumptions=reader.texts("assumptions"),
    )


def _judge(stored: Json) -> JudgeTerms | None:
    return None if stored is None else JudgeTerms.from_json(stored, "policy.judge")

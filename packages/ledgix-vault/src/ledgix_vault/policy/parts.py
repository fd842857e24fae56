"""What a policy has beside its rules: limits that remember, counterparties, processing registers, what a judge may do,
and the documents it rests on. Values only; what each of them decides is said where it is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.conditions import Condition, Expression
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.stored import Reader, damaged

CALENDAR_WINDOWS: Final = ("day", "week", "month", "year")
EVER: Final = "ever"
ROLLING: Final = re.compile(r"[1-9][0-9]{0,5}[smhd]", re.ASCII)
"""A rolling window: so many seconds, minutes, hours or days."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A budget (`sum`) or a rate (no `sum`: each call counts 1) that all calls with the same `per` share.

    `window` is rolling ("24h"), a calendar window in `timezone` ("month"), or "ever". `effect` is what a call gets
    that would go beyond `most`: deny or review. A call counts if the tool matches and all of `when` hold.
    """

    id: str
    effect: Effect
    tools: tuple[str, ...]
    when: tuple[Condition, ...]
    sum: Expression | None
    per: tuple[Expression, ...]
    window: str
    timezone: str
    most: Decimal
    source: str

    def to_json(self) -> JsonObject:
        return {
            "id": self.id,
            "effect": str(self.effect),
            "tools": list(self.tools),
            "when": [condition.text for condition in self.when],
            "sum": [] if self.sum is None else [self.sum.text],
            "per": [expression.text for expression in self.per],
            "window": self.window,
            "timezone": self.timezone,
            "max": format(self.most, "f"),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, stored: Json, where: str) -> Limit:
        members = frozenset(
            ("id", "effect", "tools", "when", "sum", "per", "window", "timezone", "max", "source"),
        )
        reader = Reader(stored, where, members)
        summed = reader.expressions("sum")
        most = reader.text("max")
        if not re.fullmatch(r"[0-9]{1,30}(\.[0-9]{1,30})?", most, re.ASCII):
            raise damaged(f"{where}.max", "not a number")
        return cls(
            id=reader.text("id"),
            effect=reader.effect("effect"),
            tools=reader.texts("tools"),
            when=reader.conditions("when"),
            sum=summed[0] if summed else None,
            per=reader.expressions("per"),
            window=reader.text("window"),
            timezone=reader.text("timezone"),
            most=Decimal(most),
            source=reader.text("source"),
        )


@dataclass(frozen=True, slots=True)
class Destinations:
    """Who may receive calls: patterns over a counterparty's host, provider and account. `deny` beats `allow`; an
    empty `allow` allows whoever isn't denied."""

    id: str
    tools: tuple[str, ...]
    allow: tuple[str, ...]
    deny: tuple[str, ...]
    source: str

    def to_json(self) -> JsonObject:
        return {
            "id": self.id,
            "tools": list(self.tools),
            "allow": list(self.allow),
            "deny": list(self.deny),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, stored: Json, where: str) -> Destinations:
        reader = Reader(stored, where, frozenset(("id", "tools", "allow", "deny", "source")))
        return cls(
            reader.text("id"),
            reader.texts("tools"),
            reader.texts("allow"),
            reader.texts("deny"),
            reader.text("source"),
        )


@dataclass(frozen=True, slots=True)
class Register:
    """One record of processing activities (GDPR, Article 30): which personal data may go to whom, and for what."""

    ref: str
    purposes: tuple[str, ...]
    data_categories: tuple[str, ...]
    recipients: tuple[str, ...]
    source: str

    def to_json(self) -> JsonObject:
        return {
            "ref": self.ref,
            "purposes": list(self.purposes),
            "data_categories": list(self.data_categories),
            "recipients": list(self.recipients),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, stored: Json, where: str) -> Register:
        reader = Reader(stored, where, frozenset(("ref", "purposes", "data_categories", "recipients", "source")))
        return cls(
            reader.text("ref"),
            reader.texts("purposes"),
            reader.texts("data_categories"),
            reader.texts("recipients"),
            reader.text("source"),
        )


class JudgeMay(StrEnum):
    """How far a judge's word goes: it may always deny or ask a person; `approve` lets it approve below the cap."""

    LOWER = "lower"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True)
class JudgeTerms:
    """What a language model may do where only text is left to decide. It approves only where all of `when` hold, and
    only if it says the same `times` times."""

    may: JudgeMay
    when: tuple[Condition, ...]
    times: int

    def to_json(self) -> JsonObject:
        return {"may": str(self.may), "when": [condition.text for condition in self.when], "times": self.times}

    @classmethod
    def from_json(cls, stored: Json, where: str) -> JudgeTerms:
        reader = Reader(stored, where, frozenset(("may", "when", "times")))
        may = reader.text("may")
        if may not in list(JudgeMay):
            raise damaged(f"{where}.may", f"`{may}` is nothing that a judge may do")
        return cls(JudgeMay(may), reader.conditions("when"), reader.integer("times"))


@dataclass(frozen=True, slots=True)
class Source:
    """A version of a document that the policy rests on. `settled`: a person marked that the rules say all of it, so
    its text alone sends nothing to review."""

    document_id: str
    version_id: str
    name: str
    content_hash: str
    settled: bool

    def to_json(self) -> JsonObject:
        return {
            "document_id": self.document_id,
            "version_id": self.version_id,
            "name": self.name,
            "content_hash": self.content_hash,
            "settled": self.settled,
        }

    @classmethod
    def from_json(cls, stored: Json, where: str) -> Source:
        members = frozenset(("document_id", "version_id", "name", "content_hash", "settled"))
        reader = Reader(stored, where, members)
        return cls(
            reader.text("document_id"),
            reader.text("version_id"),
            reader.text("name"),
            reader.text("content_hash"),
            reader.boolean("settled"),
        )

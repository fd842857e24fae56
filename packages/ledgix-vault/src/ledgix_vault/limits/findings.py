"""What was found about one limit and one call: the numbers, whether it holds, and the reason in words.

A finding is recorded with the decision, in the row and in the ledger; what a decision takes from budgets follows from
its findings alone (`takes`), so that rows can be held against entries. Numbers are text: none changes on its way.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, cast

import msgspec

from ledgix.formats.json import JsonObject
from ledgix_vault.limits.demands import CALLS, Demand, Undecided, plain
from ledgix_vault.policy.cel.inputs import EXACT, printable
from ledgix_vault.policy.effect import Effect
from ledgix_vault.times import rfc3339

LONGEST_NAME = 300


class Result(StrEnum):
    """Whether a call stays within a limit."""

    WITHIN = "within"
    EXCEEDED = "exceeded"
    UNKNOWN = "unknown"


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """`used` is what the budget's window held before this call, `asked` what the call takes, `remaining` what was left
    for it. `frees_at` is the earliest moment at which the same call would fit if nothing else happened; left out when
    that isn't known. An unknown limit has `why` and no numbers."""

    policy_id: str
    limit_id: str
    result: Result
    effect: Effect
    window: str
    maximum: str
    unit: str = ""
    per: dict[str, str] = {}
    used: str = ""
    asked: str = ""
    remaining: str = ""
    frees_at: str = ""
    why: str = ""
    budget: str = ""

    def to_json(self) -> JsonObject:
        return cast(JsonObject, msgspec.to_builtins(self))

    @classmethod
    def from_json(cls, stored: JsonObject) -> Finding:
        """Raises ValueError for what `to_json` didn't write."""
        try:
            return msgspec.convert(stored, cls)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from None

    @property
    def denies(self) -> bool:
        return self.result is Result.EXCEEDED and self.effect is Effect.DENY

    @property
    def reason_code(self) -> str:
        return "rate_limit_exceeded" if self.unit == CALLS else "spend_cap_exceeded"

    @property
    def used_after(self) -> str:
        """What the budget holds with this call."""
        return plain(EXACT.add(Decimal(self.used), Decimal(self.asked)))

    @property
    def sentence(self) -> str:
        """The finding for people."""
        name = f"limit '{self.limit_id}' of policy '{printable(self.policy_id, LONGEST_NAME)}'"
        if self.result is Result.UNKNOWN:
            return f"{name} can't be applied: {self.why}"
        whole = f"{name} allows {self._spelt(self.maximum)} {_within(self.window)}"
        numbers = f"{self._spelt(self.used)} used, {self._spelt(self.asked)} asked, {self._spelt(self.remaining)} left"
        return f"{whole}: {numbers}{f'; there is room again at {self.frees_at}' if self.frees_at else ''}"

    def _spelt(self, number: str) -> str:
        if self.unit == CALLS:
            return f"{number} {'call' if number == '1' else 'calls'}"
        return f"{number} {self.unit}".rstrip()


def found(demand: Demand, used: Decimal) -> Finding:
    """Holds a call against what its budget's window contains."""
    limit = demand.limit
    total = EXACT.add(used, demand.amount)
    return Finding(
        policy_id=demand.key.policy_id,
        limit_id=limit.id,
        result=Result.EXCEEDED if total > limit.most else Result.WITHIN,
        effect=limit.effect,
        window=demand.window.name,
        maximum=plain(limit.most),
        unit=demand.key.unit,
        per=dict(demand.key.per),
        used=plain(used),
        asked=plain(demand.amount),
        remaining=plain(max(EXACT.subtract(limit.most, used), Decimal(0))),
        budget=demand.key.id,
    )


def freed(finding: Finding, moment: int | None) -> Finding:
    """The same with the moment (µs) at which there is room again, if that is known."""
    return finding if moment is None else msgspec.structs.replace(finding, frees_at=rfc3339(moment))


def unknown(undecided: Undecided) -> Finding:
    """A limit that can't be applied to the call."""
    limit = undecided.limit
    return Finding(
        policy_id=undecided.policy_id,
        limit_id=limit.id,
        result=Result.UNKNOWN,
        effect=limit.effect,
        window=limit.window,
        maximum=plain(limit.most),
        why=undecided.why,
    )


class Taken(NamedTuple):
    """What is taken of one budget."""

    budget: str
    amount: Decimal


def takes(findings: Sequence[Finding]) -> list[Taken]:
    """Everything that a decision takes, if it approves or waits for a person."""
    return [Taken(each.budget, Decimal(each.asked)) for each in findings if each.budget]


def combined(findings: Sequence[Finding]) -> tuple[Effect, tuple[Finding, ...]]:
    """The strictest that the findings demand, and those that do: deny, then review, else approve and none."""
    if denying := tuple(each for each in findings if each.denies):
        return Effect.DENY, denying
    if doubting := tuple(each for each in findings if each.result is not Result.WITHIN):
        return Effect.REVIEW, doubting
    return Effect.APPROVE, ()


LOW = Decimal("0.8")
"""The share of a budget whose use is worth a word."""


def becomes_low(finding: Finding) -> bool:
    """Whether this call takes its budget over four fifths of what it allows."""
    if finding.result is not Result.WITHIN or not finding.budget:
        return False
    used, asked, mark = Decimal(finding.used), Decimal(finding.asked), EXACT.multiply(Decimal(finding.maximum), LOW)
    return used < mark <= EXACT.add(used, asked)


def _within(window: str) -> str:
    if window == "ever":
        return "ever"
    period, _, zone = window.partition(" ")
    return f"in a calendar {period} ({zone})" if zone else f"within {period}"

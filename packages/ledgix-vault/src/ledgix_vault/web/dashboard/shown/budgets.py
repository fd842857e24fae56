"""How full the budgets of limits are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ledgix_vault.policy.model import PolicyDocument
from ledgix_vault.policy.words import limit_in_words

NEARLY = 80
"""Percent from which a budget is nearly used."""


@dataclass(frozen=True, slots=True)
class ShownBudget:
    """`share` is in whole percent, at most 100. `who` says whose it is, "" for everybody's."""

    who: str
    used: str
    share: int

    @property
    def kind(self) -> str:
        """Which colour the bar has."""
        return "denied" if self.share >= 100 else "pending" if self.share >= NEARLY else "approved"


@dataclass(frozen=True, slots=True)
class ShownLimit:
    """One limit with its fullest budgets."""

    id: str
    words: str
    source: str
    most: str
    budgets: tuple[ShownBudget, ...]
    total: int
    next_period_at: str


def shown_limits(
    found: Sequence[Mapping[str, Any]], documents: Mapping[str, PolicyDocument]
) -> dict[str, list[ShownLimit]]:
    """By policy."""
    shown: dict[str, list[ShownLimit]] = {}
    for each in found:
        document = documents.get(each["policy_id"])
        limit = next((one for one in document.limits if one.id == each["limit_id"]), None) if document else None
        shown.setdefault(each["policy_id"], []).append(
            ShownLimit(
                id=each["limit_id"],
                words="" if limit is None else limit_in_words(limit),
                source="" if limit is None else limit.source,
                most=_amount(each["maximum"], each["unit"]),
                budgets=tuple(_budget(budget, each) for budget in each["budgets"]),
                total=each["total_budgets"],
                next_period_at=each.get("next_period_at", ""),
            )
        )
    return shown


def _budget(budget: Mapping[str, Any], limit: Mapping[str, Any]) -> ShownBudget:
    used, most = Decimal(budget["used"]), Decimal(limit["maximum"])
    share = 100 if most <= 0 else min(100, int(used * 100 / most))
    who = ", ".join(f"{value}" for value in budget["per"].values())
    return ShownBudget(who, _amount(budget["used"], limit["unit"]), share)


def _amount(amount: str, unit: str) -> str:
    return f"{Decimal(amount):,} {unit}".strip()

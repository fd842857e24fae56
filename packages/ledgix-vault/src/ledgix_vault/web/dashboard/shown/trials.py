"""What a simulation found, as a chart and in words."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ledgix_vault.web.dashboard.charts import Chart, Series, columns
from ledgix_vault.web.dashboard.words import money

_KINDS = {"approve": ("approved", "approved"), "review": ("a person decides", "pending"), "deny": ("denied", "denied")}


def before_and_after(result: Mapping[str, Any]) -> Chart:
    """Of the calls whose verdict changes: what they get now, and what they would get."""
    moves = result["changes"]
    series = [
        Series(
            name,
            kind,
            (
                float(sum(move["count"] for move in moves if move["before"] == effect)),
                float(sum(move["count"] for move in moves if move["after"] == effect)),
            ),
        )
        for effect, (name, kind) in _KINDS.items()
    ]
    return columns("Calls whose verdict would change", ("Now", "With this version"), series)


def for_people(load: Mapping[str, int]) -> str:
    """ "6 fewer calls would wait for a person: 3 instead of 9"."""
    extra = load["extra"]
    if not extra:
        return f"As many calls as now would wait for a person: {load['now']:,}"
    calls = "call" if abs(extra) == 1 else "calls"
    more = "more" if extra > 0 else "fewer"
    return f"{abs(extra):,} {more} {calls} would wait for a person: {load['draft']:,} instead of {load['now']:,}"


def money_of(amounts: Mapping[str, str]) -> str:
    """ "1,200.00 USD, 30.00 EUR"; what has no known currency is said so."""
    return ", ".join(
        money(Decimal(amount), "" if currency == "undeclared" else currency) + _unknown(currency)
        for currency, amount in amounts.items()
    )


def _unknown(currency: str) -> str:
    return " in a currency that no schema names" if currency == "undeclared" else ""

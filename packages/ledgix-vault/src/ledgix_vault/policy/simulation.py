"""What a draft would change: the tally over many calls, each decided before and after.

Pure and exact: amounts are decimals as the calls had them, by currency; what has none is counted, never guessed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from typing import Final, cast

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.cel.inputs import is_number
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.money import MINOR_DIGITS, Money, Path, Unit
from ledgix_vault.policy.snapshot import Coverage

MOST_EXAMPLES: Final = 10  # of each kind of change
MOST_RULES: Final = 500
UNDECLARED: Final = "undeclared"
"""Where the currency of an amount isn't known: no schema declares it, and no argument `currency` names it."""
_EXACT: Final = Context(prec=200)


@dataclass(frozen=True, slots=True)
class Compared:
    """One call: as it was recorded (None for a call that never happened), as it is decided now, and by the draft.
    `rules` are (policy, rule) on which the draft's decision rests."""

    request_id: str
    tool_name: str
    recorded: Effect | None
    before: Effect
    after: Effect
    reason: str
    reason_code: str | None
    rules: tuple[tuple[str, str], ...]
    amounts: tuple[tuple[str, Decimal], ...]


Move = tuple[Effect, Effect]


@dataclass(slots=True)
class _Sum:
    """How many calls, and how much money by currency."""

    count: int = 0
    amounts: dict[str, Decimal] = field(default_factory=dict)

    def add(self, compared: Compared) -> None:
        self.count += 1
        for currency, amount in compared.amounts:
            self.amounts[currency] = _EXACT.add(self.amounts.get(currency, Decimal(0)), amount)

    def to_json(self) -> JsonObject:
        return {
            "count": self.count,
            "amounts": {currency: format(self.amounts[currency], "f") for currency in sorted(self.amounts)},
        }


class Tally:
    """Adds up what changes."""

    def __init__(self) -> None:
        self.examined = 0
        self._reviews: Counter[str] = Counter()
        self._changes: dict[Move, _Sum] = defaultdict(_Sum)
        self._since_recorded: dict[Move, _Sum] = defaultdict(_Sum)
        self._by_rule: dict[tuple[str, str, Effect, Effect], _Sum] = defaultdict(_Sum)
        self._examples: dict[Move, list[Compared]] = defaultdict(list)

    def add(self, compared: Compared) -> None:
        """Counts one call."""
        self.examined += 1
        for name, effect in (("recorded", compared.recorded), ("now", compared.before), ("draft", compared.after)):
            self._reviews[name] += effect is Effect.REVIEW
        if compared.recorded is not None and compared.recorded is not compared.after:
            self._since_recorded[compared.recorded, compared.after].add(compared)
        if compared.before is compared.after:
            return
        move = (compared.before, compared.after)
        self._changes[move].add(compared)
        for policy_id, rule_id in compared.rules:
            if (policy_id, rule_id, *move) in self._by_rule or len(self._by_rule) < MOST_RULES:
                self._by_rule[policy_id, rule_id, *move].add(compared)
        if len(self._examples[move]) < MOST_EXAMPLES:
            self._examples[move].append(compared)

    def to_json(self) -> JsonObject:
        """The result. `changes` is the active policies against the draft, `since_recorded` what was decided at the
        time against the draft."""
        changed = sum(found.count for found in self._changes.values())
        by_rule: list[Json] = [
            {"policy_id": policy_id, "rule_id": rule_id, "before": str(before), "after": str(after), **found.to_json()}
            for (policy_id, rule_id, before, after), found in sorted(self._by_rule.items())
        ]
        return {
            "examined": self.examined,
            "changed": changed,
            "unchanged": self.examined - changed,
            "changes": _moves(self._changes),
            "since_recorded": _moves(self._since_recorded),
            "by_rule": by_rule,
            "review_load": {
                "recorded": self._reviews["recorded"],
                "now": self._reviews["now"],
                "draft": self._reviews["draft"],
                "extra": self._reviews["draft"] - self._reviews["now"],
            },
            "examples": [_example(each) for move in sorted(self._examples) for each in self._examples[move]],
        }


def amounts_of(coverage: Coverage, args: JsonObject) -> Iterator[tuple[str, Decimal]]:
    """The money in a call's arguments, in whole units of its currency."""
    for path in coverage.amounts:
        value = _at(args, path)
        if not is_number(value):
            continue
        amount = Decimal(cast("int | Decimal", value))
        money = coverage.money.get(path)
        currency = _currency(money, args)
        if money is not None and money.unit is Unit.MINOR:
            digits = MINOR_DIGITS.get(currency)
            if digits is None:
                yield f"{currency} (minor units)", amount
                continue
            amount = amount.scaleb(-digits, _EXACT)
        yield currency, amount


def _currency(money: Money | None, args: JsonObject) -> str:
    if money is not None and money.currency:
        return money.currency
    named = _at(args, money.currency_field if money is not None and money.currency_field else ("currency",))
    return named.upper() if isinstance(named, str) and len(named) == 3 and named.isalpha() else UNDECLARED


def _at(args: JsonObject, path: Path) -> object:
    value: object = args
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _moves(sums: Mapping[Move, _Sum]) -> list[Json]:
    return [{"before": str(move[0]), "after": str(move[1]), **sums[move].to_json()} for move in sorted(sums)]


def _example(compared: Compared) -> JsonObject:
    rules: Sequence[Json] = [{"policy_id": policy_id, "rule_id": rule_id} for policy_id, rule_id in compared.rules]
    return {
        "request_id": compared.request_id,
        "tool_name": compared.tool_name,
        "recorded": None if compared.recorded is None else str(compared.recorded),
        "before": str(compared.before),
        "after": str(compared.after),
        "reason": compared.reason,
        "reason_code": compared.reason_code,
        "rules": list(rules),
    }

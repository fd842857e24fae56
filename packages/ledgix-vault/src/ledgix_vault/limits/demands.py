"""What one call asks of the limits that apply to it.

Invariants
- A limit applies if its tools match and all of its conditions hold. A condition, an amount or a shared value that can't
  be told is *unknown*: a person decides.
- An amount is never negative, and small and short enough that sums stay exact.
- A budget belongs to a policy id, a limit id, the shared values by name, and what is counted (calls, a currency). So a
  new version of the policy goes on with what was spent, as long as these are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final, cast
from urllib.parse import urlsplit

from ledgix.formats import jcs
from ledgix.formats.json import JsonObject
from ledgix_vault.limits.windows import Window
from ledgix_vault.policy.call import Call
from ledgix_vault.policy.cel.inputs import Inputs, Unknown, is_number, spell
from ledgix_vault.policy.cel.tree import Function, Literal, Node, children
from ledgix_vault.policy.conditions import Expression
from ledgix_vault.policy.globs import covers
from ledgix_vault.policy.money import Money, Path
from ledgix_vault.policy.parts import Limit
from ledgix_vault.policy.snapshot import ActivePolicy
from ledgix_vault.policy.verdicts import all_of

CALLS: Final = "calls"
"""The unit of a limit without `sum`; otherwise its currency, or "" for plain numbers."""
MOST_DIGITS = 30
MOST_DECIMALS = 30
_ONE = Decimal(1)


@dataclass(frozen=True)
class BudgetKey:
    """What shares one budget. `per` holds the shared values as text, by the expression that gave them."""

    policy_id: str
    limit_id: str
    per: Mapping[str, str]
    unit: str

    @cached_property
    def per_text(self) -> str:
        """The shared values, as canonical JSON (RFC 8785)."""
        return jcs.canonicalize(dict(self.per)).decode()

    @cached_property
    def id(self) -> str:
        """64 hex characters."""
        return jcs.sha256_hex(
            {"policy": self.policy_id, "limit": self.limit_id, "per": dict(self.per), "unit": self.unit}
        )


@dataclass(frozen=True)
class Demand:
    """A call takes `amount` of one budget."""

    limit: Limit
    key: BudgetKey
    amount: Decimal

    @property
    def window(self) -> Window:
        return Window(self.limit.window, self.limit.timezone)


@dataclass(frozen=True)
class Undecided:
    """A limit that can't be applied to this call; `why` for people."""

    limit: Limit
    policy_id: str
    why: str


def demands(
    policies: Iterable[ActivePolicy], call: Call, money: Mapping[Path, Money]
) -> tuple[list[Demand | Undecided], tuple[str, ...]]:
    """What the call asks of each limit that applies, in the order of `policies`; and what had to be assumed for it."""
    inputs = Inputs(call, money)
    found = [asked for policy in policies for asked in _of_policy(policy, inputs)]
    return found, tuple(dict.fromkeys(inputs.assumed))


def _of_policy(policy: ActivePolicy, inputs: Inputs) -> Iterator[Demand | Undecided]:
    document = policy.document
    inputs.tables = document.tables
    for limit in document.limits:
        if not covers(limit.tools, inputs.call.tool_name):
            continue
        applies = all_of([condition.test(inputs) for condition in limit.when])
        if applies is False:
            continue
        asked = applies if isinstance(applies, Unknown) else _asked(document.policy_id, limit, inputs)
        yield Undecided(limit, document.policy_id, asked.why) if isinstance(asked, Unknown) else asked


def _asked(policy_id: str, limit: Limit, inputs: Inputs) -> Demand | Unknown:
    per: dict[str, str] = {}
    for expression in limit.per:
        shared = _shared(expression, inputs)
        if isinstance(shared, Unknown):
            return shared
        per[expression.text] = shared
    amount = _ONE if limit.sum is None else _amount(limit.sum, inputs)
    if isinstance(amount, Unknown):
        return amount
    return Demand(limit, BudgetKey(policy_id, limit.id, per, unit_of(limit.sum)), amount)


def _amount(summed: Expression, inputs: Inputs) -> Decimal | Unknown:
    value = summed.read(inputs)
    if isinstance(value, Unknown):
        return value
    if not is_number(value):
        return Unknown(f"{summed.text} is {spell(value)}, not a number")
    amount = Decimal(cast("int | Decimal", value))
    if amount < 0:
        return Unknown(f"{summed.text} is negative ({spell(value)}), and a budget never grows by a call")
    exponent = cast(int, amount.as_tuple().exponent)
    if amount and (amount.adjusted() >= MOST_DIGITS or exponent < -MOST_DECIMALS):
        return Unknown(f"{summed.text} is {spell(value)}, too long a number to add up exactly")
    return amount


def _shared(expression: Expression, inputs: Inputs) -> str | Unknown:
    """The value as text. An empty text names nobody, so it shares with nobody: unknown, like one that is missing."""
    if expression.text == "destination":
        return _destination(inputs.call.destination)
    value = expression.read(inputs)
    if isinstance(value, Unknown):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(value):
        return plain(Decimal(cast("int | Decimal", value)))
    if isinstance(value, str) and value:
        return value
    return Unknown(f"{expression.text} is {spell(value)}, which names nobody to share a budget")


def _destination(destination: Mapping[str, str]) -> str | Unknown:
    """Whoever receives the call: host, provider and account, as far as they are known. The rest of an address has no
    say: it changes from call to call."""
    try:
        host = urlsplit(destination.get("uri", "")).hostname or ""
    except ValueError:
        return Unknown("destination_uri can't be read as an address")
    known: JsonObject = {
        "host": host.lower(),
        "provider": destination.get("provider", "").lower(),
        "account_ref": destination.get("account_ref", ""),
    }
    known = {name: value for name, value in known.items() if value}
    return jcs.canonicalize(known).decode() if known else Unknown("destination is missing")


def unit_of(summed: Expression | None) -> str:
    """What a limit counts: `calls`, a currency, several joined by `+`, or "" for plain numbers."""
    return CALLS if summed is None else "+".join(sorted(set(_currencies(summed.node))))


def _currencies(node: Node) -> Iterator[str]:
    match node:
        case Function(name="money", operands=(_, Literal(value=str() as currency))):
            yield currency
        case _:
            for child in children(node):
                yield from _currencies(child)


def plain(number: Decimal) -> str:
    """A number without exponent and trailing zeros: the same text for the same value."""
    text = format(number, "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"

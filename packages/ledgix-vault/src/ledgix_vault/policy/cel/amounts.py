"""`money(args.amount, "USD")`: an argument's amount in whole units of a currency, or unknown.

Invariants:

- A negative amount is unknown: no limit on money accepts it.
- A currency that the call names, in the declared field or in `currency` beside the amount or at the top, must agree.
- Where nothing declares the currency or the unit, the reading is an assumption, and the evaluation records it.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import cast

from ledgix.formats.json import JsonObject
from ledgix_vault.policy.cel.inputs import EXACT, Inputs, Unknown, Value, is_number, spell
from ledgix_vault.policy.cel.operators import Read, unusable
from ledgix_vault.policy.money import MINOR_DIGITS, Money, Path, Unit

_CURRENCY = "currency"
_Disagreement = Callable[[Inputs], Unknown | None]


def amount_in(path: Path, read_amount: Read, currency: str) -> Read:
    """The amount at `path` below the arguments in whole units of `currency`."""
    label = ".".join(path)
    negative = Unknown(f"{label} is negative, and a limit on money says nothing about negative amounts")
    undeclared = _undeclared(path, currency)

    def read(inputs: Inputs) -> Value:
        value = read_amount(inputs)
        if not is_number(value):
            return unusable(value, label, "a number")
        amount = cast("int | Decimal", value)
        if amount < 0:
            return negative
        declared = inputs.money.get(path)
        refusal = undeclared(inputs) if declared is None else _disagreement(inputs, path, declared, currency)
        if refusal is not None:
            return refusal
        return _whole_units(amount, declared, currency, label)

    return read


def plain_amount(path: Path, read_amount: Read) -> Read:
    """The amount at `path` where the rule names no currency: the number as it stands, if the unit allows that."""
    label = ".".join(path)
    negative = Unknown(f"{label} is negative, and a limit on money says nothing about negative amounts")
    assumption = f"{label} is compared as a plain number: the rule names no currency"

    def read(inputs: Inputs) -> Value:
        value = read_amount(inputs)
        if not is_number(value):
            return unusable(value, label, "a number")
        if cast("int | Decimal", value) < 0:
            return negative
        declared = inputs.money.get(path)
        if declared is not None and declared.unit is Unit.MINOR:
            return Unknown(f"{label} is in minor units, and the rule names no currency")
        inputs.assumed.append(assumption)
        return value

    return read


def _undeclared(path: Path, currency: str) -> _Disagreement:
    label = ".".join(path)
    unit_assumed = f"{label} is in whole {currency}: no tool schema declares its unit"
    currency_assumed = f"{label} is in {currency}: the call names no currency"
    holders = dict.fromkeys(((*path[:-1], _CURRENCY), (_CURRENCY,)))

    def check(inputs: Inputs) -> Unknown | None:
        named = False
        for holder in holders:
            if (inner := _object_at(inputs.args, holder[:-1])) is not None and _CURRENCY in inner:
                if not _agrees(inner[_CURRENCY], currency):
                    return _differs(holder, cast(Value, inner[_CURRENCY]), currency)
                named = True
        if not named:
            inputs.assumed.append(currency_assumed)
        inputs.assumed.append(unit_assumed)
        return None

    return check


def _disagreement(inputs: Inputs, path: Path, declared: Money, currency: str) -> Unknown | None:
    if declared.currency:
        if declared.currency != currency:
            return Unknown(f"{'.'.join(path)} is in {declared.currency}, the limit is in {currency}")
        holders = tuple(dict.fromkeys(((*path[:-1], _CURRENCY), (_CURRENCY,))))
    else:
        holders = (declared.currency_field,)
    for holder in holders:
        inner = _object_at(inputs.args, holder[:-1])
        if inner is not None and holder[-1] in inner:
            if not _agrees(inner[holder[-1]], currency):
                return _differs(holder, cast(Value, inner[holder[-1]]), currency)
        elif not declared.currency:
            return Unknown(f"{'.'.join(holder)} is missing")
    return None


def _object_at(args: JsonObject, path: Path) -> JsonObject | None:
    value: object = args
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value if isinstance(value, dict) else None


def _agrees(named: object, currency: str) -> bool:
    return isinstance(named, str) and named.isascii() and named.upper() == currency


def _differs(holder: Path, named: Value, currency: str) -> Unknown:
    return Unknown(f"{'.'.join(holder)} is {spell(named)}, the limit is in {currency}")


def _whole_units(amount: int | Decimal, declared: Money | None, currency: str, label: str) -> Value:
    if declared is None or declared.unit is Unit.MAJOR:
        return amount
    if type(amount) is not int:
        return Unknown(f"{label} is {spell(amount)}, not a whole number of minor units")
    return EXACT.scaleb(Decimal(amount), -MINOR_DIGITS[currency])

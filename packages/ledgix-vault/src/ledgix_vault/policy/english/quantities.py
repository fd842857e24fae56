"""Quantities, strictly: what two readers could read differently is not a quantity.

"$1,00" and "$1,5" may be decimals or slips, "$1.000" may be one or a thousand, "10%" of what is not said, "$100 or 10%"
is two limits, "¥" has two countries: all refused. "$100k" is 100 000 and "1,000" is a thousand to everybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ledgix_vault.policy.money import MINOR_DIGITS

_SYMBOLS: Final = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP"}
_WORDS: Final = {"dollar": "USD", "dollars": "USD", "us dollars": "USD", "euro": "EUR", "euros": "EUR"}
_SCALES: Final = {"": 1, "k": 1_000, "thousand": 1_000, "million": 1_000_000}
_ENGLISH: Final = frozenset(("ALL", "AMD", "GEL", "LAK", "MAD", "MOP", "PEN", "SOS", "TOP", "TRY"))
_LOWER_CASE: Final = frozenset(("usd", "eur", "gbp"))
_QUANTITY: Final = re.compile(
    r"(?:(?P<symbol>US\$|[$€£]) ?|(?P<before>[A-Za-z]{3}) )?"
    r"(?P<whole>0|[1-9][0-9]{0,2}(?:,[0-9]{3}){1,4}|[1-9][0-9]{0,14})"
    r"(?:\.(?P<fraction>[0-9]{1,4}))?"
    r"(?: ?(?P<scale>[kK]|thousand|million))?"
    r"(?: ?(?P<sign>[€£])| (?P<after>[A-Za-z]{3})| (?P<word>(?:US )?dollars?|euros?))?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """`currency` is "" for a plain number; `from_symbol` says that it was written as a symbol or a word."""

    value: int | Decimal
    currency: str = ""
    from_symbol: bool = False

    @property
    def digits(self) -> str:
        """As conditions write it."""
        return format(self.value, "f") if isinstance(self.value, Decimal) else str(self.value)

    def __str__(self) -> str:
        return f"{self.digits} {self.currency}".rstrip()


def parse_quantity(text: str) -> Quantity | None:
    """The quantity that the whole of `text` is, if it can be read in one way only."""
    found = _QUANTITY.fullmatch(text)
    if found is None:
        return None
    currencies = {_code(found[name]) for name in ("before", "after") if found[name]}
    currencies |= {_SYMBOLS[found[name]] for name in ("symbol", "sign") if found[name]}
    if found["word"]:
        currencies.add(_WORDS[found["word"].lower()])
    if "" in currencies or len(currencies) > 1:
        return None
    currency = currencies.pop() if currencies else ""
    fraction = found["fraction"] or ""
    if not _fraction_is_clear(found["whole"], fraction, currency):
        return None
    scale = _SCALES[(found["scale"] or "").lower()]
    exact = Decimal(f"{found['whole'].replace(',', '')}.{fraction or '0'}") * scale
    value = int(exact) if exact == exact.to_integral_value() else exact.normalize()
    return Quantity(value, currency, from_symbol=not (found["before"] or found["after"]))


def _code(letters: str) -> str:
    """The currency code, or "" for letters that aren't one beyond doubt."""
    if letters in _LOWER_CASE:
        return letters.upper()
    return letters if letters in MINOR_DIGITS and letters not in _ENGLISH else ""


def _fraction_is_clear(whole: str, fraction: str, currency: str) -> bool:
    if len(fraction) == 3 and whole != "0" and len(whole) <= 3:
        return False  # 1.000 is a thousand to half of Europe
    return not currency or len(fraction) <= MINOR_DIGITS[currency]

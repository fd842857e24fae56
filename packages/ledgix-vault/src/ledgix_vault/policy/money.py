"""What an argument that holds money means: which currency, and whole units or cents.

A tool's schema declares it once, beside the field (`"x-ledgix-money"`); limits in policies then speak of whole units.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

Path = tuple[str, ...]
"""Names of members from the arguments down: ("payment", "amount")."""

# ISO 4217. Left out on purpose: currencies whose minor unit payment services treat differently (ISK, UGX, HUF, TWD):
# a limit on them in minor units would be a guess.
_NO_MINOR_UNIT = "BIF CLP DJF GNF JPY KMF KRW PYG RWF VND VUV XAF XOF XPF"
_TWO_DIGITS = (
    "AED ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CNY COP CRC CVE"
    " CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD HKD HNL HTG IDR ILS INR JMD KES KGS KHR KYD KZT LAK"
    " LBP LKR LRD LSL MAD MDL MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN"
    " QAR RON RSD SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TOP TRY TTD TZS UAH USD UYU UZS WST XCD YER ZAR ZMW"
)
_THREE_DIGITS = "BHD JOD KWD OMR TND"

MINOR_DIGITS: Mapping[str, int] = MappingProxyType(
    dict.fromkeys(_NO_MINOR_UNIT.split(), 0)
    | dict.fromkeys(_TWO_DIGITS.split(), 2)
    | dict.fromkeys(_THREE_DIGITS.split(), 3)
)
"""How many decimal places the minor unit of a currency has; what isn't here can't be a limit's currency."""


class Unit(StrEnum):
    """Whether 100 means a hundred dollars or a hundred cents."""

    MAJOR = "major"
    MINOR = "minor"


@dataclass(frozen=True, slots=True)
class Money:
    """A declared money field. Either `currency` is fixed, or the argument `currency_field` names it."""

    unit: Unit
    currency: str = ""
    currency_field: Path = ()

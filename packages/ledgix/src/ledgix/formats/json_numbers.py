"""Numbers by value: integers within ±(2^53-1), or decimals that a double gives back unchanged (contract section 2).

Two parties that read a number as a double, as JavaScript does, and two that read it exactly must mean the same one.
"""

from __future__ import annotations

from decimal import Decimal
from math import isfinite

MAX_INTEGER = 2**53 - 1
_ZERO_DIGITS = frozenset("-0.")


class NumberError(ValueError):
    """A number whose value depends on the reader."""


def integer(literal: str) -> int:
    """The value of a JSON number that has neither fraction nor exponent."""
    if len(literal) < 16:
        return int(literal)
    # A JSON integer has no leading zeros, so 18 characters with a sign are beyond 2^53 for certain.
    return exact_integer(int(literal)) if len(literal) < 18 else _too_large()


def exact_integer(value: int) -> int:
    """`value` itself; raises NumberError beyond ±(2^53-1)."""
    return value if -MAX_INTEGER <= value <= MAX_INTEGER else _too_large()


def number(literal: str) -> int | Decimal:
    """The value of a JSON number that has a fraction or an exponent."""
    double = float(literal)
    shortest = repr(double)
    if shortest != literal and not _same_value(literal, double, shortest):
        raise NumberError("this number is not the shortest decimal of its double: send it as a string")
    return exact_integer(int(double)) if double.is_integer() else Decimal(shortest)


def exact_float(value: float) -> int | Decimal:
    """The exact value that a Python float stands for when it is printed."""
    if not isfinite(value):
        raise NumberError("NaN and Infinity have no JSON form")
    return exact_integer(int(value)) if value.is_integer() else Decimal(repr(float(value)))


def exact_decimal(value: Decimal) -> int | Decimal:
    """The same value as an int, or in its shortest form; raises NumberError if a double would change it."""
    if not value.is_finite():
        raise NumberError("NaN and Infinity have no JSON form")
    return number(f"{value:f}" if -400 < value.adjusted() < 400 else str(value))


def _same_value(literal: str, double: float, shortest: str) -> bool:
    if not isfinite(double):
        return False
    if double == 0:
        # Compared as text: an exponent may be too long for any decimal type.
        return set(literal.lower().partition("e")[0]) <= _ZERO_DIGITS
    return Decimal(literal) == Decimal(shortest)


def _too_large() -> int:
    raise NumberError("this integer is beyond ±(2^53-1): send it as a string")

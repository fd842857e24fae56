"""RFC 8785, the JSON Canonicalization Scheme: one value, one sequence of bytes.

Invariants:

- Equal values give equal bytes, whatever the order of members or the way numbers were written.
- Integers beyond ±(2^53-1), decimals that a double would change, NaN, Infinity and lone surrogates are refused:
  what can't be read back by every reader is never hashed.

The values come from `json.parse` or `json.from_python`; a float isn't one (the type says so, no check repeats it).
The C encoder of the standard library writes the same bytes as RFC 8785 where names sort alike by code point and by
UTF-16 and numbers need no exponent; the `rfc8785` package writes all others.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal
from json import JSONEncoder
from typing import Any

import rfc8785

from ledgix.errors import FormatError
from ledgix.formats.json import Json
from ledgix.formats.json_numbers import exact_decimal

_MARKS = bytes(0x30 if 0x30 <= byte <= 0x39 else 0xF0 if byte >= 0xF0 else 0x20 for byte in range(256))
"""Turns UTF-8 into a sketch of itself: digits, first bytes of characters beyond U+FFFF, and the rest."""
_LONG_NUMBER = b"0" * 16
_ASTRAL = b"\xf0"


class _UnusualError(Exception):
    """A value that the C encoder would write in another way than RFC 8785."""


def canonicalize(value: Json) -> bytes:
    """The RFC 8785 bytes of `value`; raises FormatError for what has none."""
    try:
        return _fast(value) or rfc8785.dumps(_doubles(value))
    except (RecursionError, TypeError, ValueError) as error:
        raise FormatError(f"no canonical JSON: {error}") from None


def _fast(value: Json) -> bytes | None:
    """What the C encoder writes; None where RFC 8785 could want something else."""
    try:
        raw = _ENCODER.encode(value).encode()
    except _UnusualError:
        return None
    sketch = raw.translate(_MARKS)
    return None if _LONG_NUMBER in sketch or _ASTRAL in sketch else raw


def sha256_hex(value: Json) -> str:
    """Hex SHA-256 of the canonical bytes; of a call's arguments it is the token's `tool_args_hash`."""
    return hashlib.sha256(canonicalize(value)).hexdigest()


def _decimal(value: object) -> float:
    """What the C encoder shall write for a value that it doesn't know."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not a JSON value")
    exact = exact_decimal(value)
    if isinstance(exact, int) or abs(exact) < Decimal("1e-4"):
        raise _UnusualError
    return float(exact)


def _doubles(value: Json) -> Any:
    """The same value for a library that knows no decimals."""
    match value:
        case Decimal():
            return float(exact_decimal(value))
        case list():
            return [_doubles(item) for item in value]
        case dict():
            return {name: _doubles(item) for name, item in value.items()}
        case _:
            return value


_ENCODER = JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False, allow_nan=False, default=_decimal
)

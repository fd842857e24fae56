"""Deterministic CBOR, in the one form that the contract allows (section 6, "Hashes").

Invariants:

- Definite lengths, shortest integers, no tags; every float is a 64-bit double (0xfb), finite.
- Map keys are text, sorted by length in characters, then by code point, at every level.
- What `decode` accepts, `encode` writes byte for byte.

The `cbor2` package writes in its default mode: its canonical mode would shorten floats. The keys are sorted here.
"""

from __future__ import annotations

from decimal import Decimal
from math import isfinite
from typing import TypeAlias

import cbor2

from ledgix.errors import CborError
from ledgix.formats.json import Json

Cbor: TypeAlias = "bool | int | float | str | bytes | list[Cbor] | dict[str, Cbor] | None"

_MAX_DEPTH = 64


def encode(value: Cbor) -> bytes:
    """The CBOR bytes of `value`; raises CborError for what the contract's form can't hold."""
    return dumps_ordered(_ordered(value, _MAX_DEPTH))


def dumps_ordered(value: Cbor) -> bytes:
    """Like `encode`, for a value whose keys are in order and whose values are known to be plain."""
    try:
        return cbor2.dumps(value)
    except (cbor2.CBORError, ValueError) as error:
        raise CborError(f"no CBOR form: {error}") from None


def doubles(value: Json) -> Cbor:
    """Every JSON number as a float and every object with its keys in order: ready for `dumps_ordered`."""
    match value:
        case None | bool() | str():
            return value
        case int() | Decimal():
            return float(value)
        case list():
            return [doubles(item) for item in value]
        case dict():
            return {key: doubles(value[key]) for key in in_order(value)}


def in_order(keys: dict[str, Json] | dict[str, Cbor]) -> list[str]:
    """Text keys by length in characters, then by code point (the second sort keeps the order of the first)."""
    return sorted(sorted(keys), key=len)


def decode(raw: bytes) -> Cbor:
    """The value that `raw` stands for; raises CborError unless encoding it again gives the same bytes."""
    try:
        value: Cbor = cbor2.loads(raw, max_depth=_MAX_DEPTH, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError) as error:
        raise CborError(f"not CBOR: {error}") from None
    if encode(value) != raw:
        raise CborError("not the deterministic form of its value")
    return value


def _ordered(value: object, depth: int) -> Cbor:
    if depth < 0:
        raise CborError("nested too deeply")
    match value:
        case None | bool() | str() | bytes():
            return value
        case int() if -(2**64) <= value < 2**64:
            return value
        case float() if isfinite(value):
            return value
        case list():
            return [_ordered(item, depth - 1) for item in value]
        case dict():
            if not all(isinstance(key, str) for key in value):
                raise CborError("map keys must be text")
            return {key: _ordered(value[key], depth - 1) for key in in_order(value)}
        case _:
            raise CborError(f"{value!r:.80} has no place in this form of CBOR")

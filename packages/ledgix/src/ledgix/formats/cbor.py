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
    # By exact type, because every sealed event comes through here; a Json value has no other types.
    kind = type(value)
    if kind is str or kind is bool or value is None or isinstance(value, str):
        return value  # type: ignore[return-value]
    if kind is int or kind is Decimal:
        return float(value)  # type: ignore[arg-type]
    if isinstance(value, dict):
        return {key: doubles(value[key]) for key in in_order(value)}
    if isinstance(value, list):
        return [doubles(item) for item in value]
    raise CborError(f"a {kind.__name__} is no JSON value")


def in_order(keys: dict[str, Json] | dict[str, Cbor]) -> list[str]:
    """Text keys by length in characters, then by code point (the second sort keeps the order of the first)."""
    return sorted(sorted(keys), key=len) if len(keys) > 1 else list(keys)


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
    """`value` with its keys in order; refuses everything that the form has no place for."""
    if value is None or isinstance(value, str | bool | bytes):
        return value
    if isinstance(value, int) and -(2**64) <= value < 2**64:
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    if depth == 0:
        raise CborError(f"nested more than {_MAX_DEPTH} levels deep")
    if isinstance(value, list):
        return [_ordered(item, depth - 1) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise CborError("map keys must be text")
        return {key: _ordered(value[key], depth - 1) for key in in_order(value)}
    raise CborError(f"a {type(value).__name__} like {value!r:.80} has no place in this form of CBOR")

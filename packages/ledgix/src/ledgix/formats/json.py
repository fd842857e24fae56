"""Exact JSON: what is accepted means the same to every reader.

Invariants (contract section 2):

- Only UTF-8 without a byte order mark, and only RFC 8259 grammar; NaN and Infinity are refused.
- No object names a member twice, and no string holds half of a surrogate pair.
- Numbers go by value. An integral value is an `int` within ±(2^53-1), written as 45, 45.0 or 4.5e1 alike; −0 is 0.
- Any other number is a `Decimal`, accepted only if it is the shortest decimal of its double: so no reader that
  works with doubles sees another value.
- Objects and arrays nest at most `max_depth` deep, and no input, however deep, ends in a RecursionError.
- A refusal names the path of the offending member.

`parse` reads with the C scanner and keeps these rules by its hooks. Whatever looks wrong to it, it hands to
`json_paths.read`, the careful reader, which is slower and knows where it is.
"""

from __future__ import annotations

from decimal import Decimal
from json import JSONDecodeError, JSONDecoder, JSONEncoder
from typing import NoReturn, TypeAlias, cast

from ledgix.errors import JsonError
from ledgix.formats import json_paths
from ledgix.formats.json_numbers import NumberError, exact_decimal, exact_float, exact_integer, integer, number

Json: TypeAlias = "bool | int | Decimal | str | list[Json] | dict[str, Json] | None"
"""An exact JSON value; never a float."""
JsonObject: TypeAlias = "dict[str, Json]"

MAX_DEPTH = 32


class _RefusedError(ValueError):
    """The scanner met something that breaks a rule; the careful reader will say where."""


def parse(raw: bytes, *, max_depth: int = MAX_DEPTH) -> Json:
    """The value that `raw` stands for; raises JsonError otherwise."""
    try:
        text = raw.decode().strip(" \t\n\r")
        value, end = _SCANNER.raw_decode(text)
        if end == len(text) and _is_shallow(raw, value, max_depth) and _is_unicode(raw, value):
            return cast(Json, value)
    except (_RefusedError, NumberError, UnicodeDecodeError, JSONDecodeError, RecursionError):
        pass
    return cast(Json, json_paths.read(raw, max_depth=max_depth))


def parse_object(raw: bytes, *, max_depth: int = MAX_DEPTH) -> JsonObject:
    """Like `parse`, for a text whose top level must be an object."""
    value = parse(raw, max_depth=max_depth)
    if not isinstance(value, dict):
        raise JsonError(f"must be an object, not {kind_of(value)}")
    return value


def kind_of(value: object) -> str:
    """What a person would call this JSON value: "a number", "null" …"""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | Decimal():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case dict():
            return "an object"
        case _:
            return type(value).__name__


def from_python(value: object) -> Json:
    """The exact JSON value of plain Python data; floats go by their shortest decimal, tuples become lists.

    Raises JsonError for what JSON can't say or what a Vault would refuse.
    """
    return _from_python(value, "$", MAX_DEPTH)


def _from_python(value: object, path: str, depth: int) -> Json:
    match value:
        case None | bool():
            return value
        case str():
            return _text(value, path)
        case int() | float() | Decimal():
            try:
                if isinstance(value, Decimal):
                    return exact_decimal(value)
                return exact_float(value) if isinstance(value, float) else exact_integer(int(value))
            except NumberError as error:
                raise JsonError(str(error), path) from None
        case list() | tuple() | dict() if depth == 0:
            raise JsonError(json_paths.too_deep(MAX_DEPTH), path)
        case list() | tuple():
            return [_from_python(item, f"{path}[{index}]", depth - 1) for index, item in enumerate(value)]
        case dict():
            return {
                _name(name, path): _from_python(item, json_paths.member(path, str(name)), depth - 1)
                for name, item in value.items()
            }
        case _:
            raise JsonError(f"a {type(value).__name__} has no JSON form", path)


def _name(name: object, path: str) -> str:
    if not isinstance(name, str):
        raise JsonError(f"a member's name must be a string, not {name!r}", path)
    return _text(name, path)


def _text(value: str, path: str) -> str:
    if not value.isascii() and json_paths.SURROGATE.search(value):
        raise JsonError(json_paths.LONE_SURROGATE, path)
    return str.__str__(value)


def dumps(value: Json) -> bytes:
    """Compact JSON in the order of insertion: what goes on the wire. Hashes are taken over `jcs.canonicalize`."""
    return _WRITER.encode(value).encode()


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RefusedError
    return members


def _is_shallow(raw: bytes, value: Json, max_depth: int) -> bool:
    if raw.count(b"[") + raw.count(b"{") <= max_depth:
        return True
    level = _containers([value])
    for _ in range(max_depth):
        level = [inner for outer in level for inner in _containers(outer)]
    return not level


def _containers(outer: dict[str, Json] | list[Json]) -> list[dict[str, Json] | list[Json]]:
    return [item for item in (outer.values() if isinstance(outer, dict) else outer) if isinstance(item, dict | list)]


def _is_unicode(raw: bytes, value: Json) -> bool:
    """Whether no escape left half of a surrogate pair behind."""
    if b"\\ud" not in raw and b"\\uD" not in raw:
        return True
    try:
        dumps(value)
    except UnicodeEncodeError:
        return False
    return True


def _refuse_constant(text: str) -> NoReturn:
    raise _RefusedError


def _double(value: object) -> float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} is not a JSON value")
    return float(value)


_SCANNER = JSONDecoder(
    object_pairs_hook=_object, parse_int=integer, parse_float=number, parse_constant=_refuse_constant
)
_WRITER = JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False, allow_nan=False, default=_double)

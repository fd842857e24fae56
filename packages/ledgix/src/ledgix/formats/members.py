"""Reading members of an object that must have a certain type; a FormatError names the member."""

from __future__ import annotations

from collections.abc import Iterable

from ledgix.errors import FormatError
from ledgix.formats.json import Json, JsonObject, kind_of

HEX = frozenset("0123456789abcdef")


def text(source: JsonObject, name: str) -> str:
    """The string under `name`."""
    value = source.get(name)
    if not isinstance(value, str):
        raise _wrong(source, name, "a string")
    return value


def optional_text(source: JsonObject, name: str) -> str:
    """The string under `name`; `""` if it is left out."""
    return text(source, name) if name in source else ""


def whole(source: JsonObject, name: str, least: int = 0) -> int:
    """The whole number under `name`, at least `least`."""
    value = source.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise _wrong(source, name, f"a whole number from {least}")
    return value


def obj(source: JsonObject, name: str) -> JsonObject:
    """The object under `name`."""
    value = source.get(name)
    if not isinstance(value, dict):
        raise _wrong(source, name, "an object")
    return value


def objects(source: JsonObject, name: str) -> list[JsonObject]:
    """The list of objects under `name`."""
    value = source.get(name)
    if not isinstance(value, list):
        raise _wrong(source, name, "a list of objects")
    found = [item for item in value if isinstance(item, dict)]
    if len(found) != len(value):
        raise _wrong(source, name, "a list of objects")
    return found


def hash_hex(source: JsonObject, name: str) -> str:
    """The lower-case hex of a 32-byte hash under `name`."""
    return check_hash_hex(source.get(name), name)


def hash_path(source: JsonObject, name: str) -> tuple[str, ...]:
    """The list of hex hashes under `name`."""
    value = source.get(name)
    if not isinstance(value, list):
        raise _wrong(source, name, "a list of hashes")
    return tuple(check_hash_hex(item, f"{name}[{index}]") for index, item in enumerate(value))


def require(source: JsonObject, names: Iterable[str]) -> None:
    """Returns if every name is there, whatever its value."""
    if missing := [name for name in names if name not in source]:
        raise FormatError(f"missing: {', '.join(missing)}")


def check_hash_hex(value: Json, name: str) -> str:
    """`value` itself, if it is 64 lower-case hex digits."""
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= HEX:
        raise FormatError(f"{name} must be a hash: 32 bytes as 64 lower-case hex digits")
    return value


def _wrong(source: JsonObject, name: str, expected: str) -> FormatError:
    found = kind_of(source[name]) if name in source else "missing"
    return FormatError(f"{name} must be {expected}, but is {found}")

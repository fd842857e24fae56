"""From `name=value` pairs, as queries and forms have them, to texts; and from texts to typed arguments.

Invariants:

- Each pair has one `=` at least, and no pair is empty: readers differ on what `a`, `&&` and `;` mean.
- Escapes are decoded once, as UTF-8; what isn't valid is refused, never replaced.
- A text of a type has one spelling: `007`, `+7` and `TRUE` are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, assert_never
from urllib.parse import unquote_to_bytes

from ledgix.errors import FormatError
from ledgix.formats import json
from ledgix.formats.json import Json
from ledgix_gateway.codes import Code, refusal
from ledgix_gateway.routes.route import Type

_ENCODED: Final = re.compile(rb"(?:[A-Za-z0-9\-._~!$'()*+,:@/?\[\]]|%[0-9A-Fa-f]{2})*")
_INTEGER: Final = re.compile(r"-?[1-9][0-9]*|0")
_NUMBER: Final = re.compile(r"(?:-?[1-9][0-9]*|-?0(?=\.)|0)(?:\.[0-9]*[1-9])?")

Pairs = dict[str, list[str]]


def pairs_of(raw: bytes, ambiguous: Code) -> Pairs:
    """All values by name, in order; refuses with `ambiguous` what has two readings."""
    found: Pairs = {}
    for pair in raw.split(b"&") if raw else ():
        name, equals, value = pair.partition(b"=")
        if not name or not equals:
            raise refusal(ambiguous, "Every parameter must be written as name=value.")
        found.setdefault(_decoded(name, ambiguous), []).append(_decoded(value, ambiguous))
    return found


def _decoded(raw: bytes, ambiguous: Code) -> str:
    if not _ENCODED.fullmatch(raw.replace(b"=", b"")):
        raise refusal(ambiguous, "A parameter holds a sign that must be escaped, or an escape that isn't one.")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")
    except UnicodeDecodeError:
        raise refusal(ambiguous, "A parameter isn't UTF-8.") from None


def argument_of(name: str, texts: Iterable[str], kind: Type, ambiguous: Code) -> Json:
    """The typed value of an argument from the texts that came for it; only a list may have several."""
    values = list(texts)
    if kind is Type.LIST:
        return [*values]
    if len(values) != 1:
        raise refusal(ambiguous, f"The parameter {name!r} stands {len(values)} times; the route takes it once.")
    text = values[0]
    match kind:
        case Type.STRING:
            return text
        case Type.INTEGER:
            return _number(name, text, _INTEGER, "a whole number")
        case Type.NUMBER:
            return _number(name, text, _NUMBER, "a number")
        case Type.BOOLEAN:
            if text not in ("true", "false"):
                raise _invalid(name, "true or false")
            return text == "true"
        case _:
            assert_never(kind)


def _number(name: str, text: str, form: re.Pattern[str], wanted: str) -> Json:
    if not form.fullmatch(text):
        raise _invalid(name, f"{wanted} in its shortest decimal form")
    try:
        return json.parse(text.encode())
    except FormatError:
        raise _invalid(name, f"{wanted} that every reader takes for the same") from None


def _invalid(name: str, wanted: str) -> Exception:
    return refusal(Code.ARGUMENT_INVALID, f"The argument {name!r} must be {wanted}.")

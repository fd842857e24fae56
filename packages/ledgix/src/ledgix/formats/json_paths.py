"""The careful JSON reader: the same rules as `json.parse`, one token at a time, with the path at hand.

It descends by recursion and refuses depth before it enters it, so the stack stays within `max_depth` calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from json import dumps
from typing import Any, NoReturn

from ledgix.errors import JsonError
from ledgix.formats.json_numbers import NumberError, integer, number

LONE_SURROGATE = "this text holds half of a surrogate pair"
SURROGATE = re.compile("[\ud800-\udfff]")

_SPACE = re.compile(r"[ \t\n\r]*+")
_PLAIN = r'[^"\\\x00-\x1f]*+'
_STRING = re.compile(rf'"({_PLAIN}(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{{4}}){_PLAIN})*+)"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*+)((?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?)")
_WORD = re.compile(r"true|false|null|-?Infinity|NaN")
_WORDS = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))")
_SHORT = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def read(raw: bytes, *, max_depth: int) -> Any:
    """The JSON value that `raw` stands for; raises JsonError with the path of what is wrong."""
    if raw.startswith(b"\xef\xbb\xbf"):
        raise JsonError("starts with a byte order mark")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from None
    reader = _Reader(text, max_depth)
    value = reader.value("$", 0)
    if reader.next() is not None:
        reader.refuse("$", "nothing more may follow")
    return value


def member(path: str, name: str) -> str:
    """The path of an object's member."""
    if _IDENTIFIER.fullmatch(name):
        return f"{path}.{name}"
    shown = name if len(name) <= 64 else name[:63] + "…"
    return f"{path}[{dumps(shown)}]"


def too_deep(max_depth: int) -> str:
    """What is said of a value below the deepest level."""
    return f"nested more than {max_depth} levels deep"


class _Reader:
    def __init__(self, text: str, max_depth: int) -> None:
        self.text = text
        self.at = 0
        self.max_depth = max_depth

    def refuse(self, path: str, expected: str) -> NoReturn:
        found = repr(self.text[self.at]) if self.at < len(self.text) else "the end"
        raise JsonError(f"not JSON: {expected}, found {found} at character {self.at}", path)

    def next(self) -> str | None:
        """The character at which the next token starts; None at the end."""
        space = _SPACE.match(self.text, self.at)
        assert space is not None
        self.at = space.end()
        return self.text[self.at] if self.at < len(self.text) else None

    def take(self, mark: str) -> bool:
        if self.next() != mark:
            return False
        self.at += 1
        return True

    def value(self, path: str, depth: int) -> Any:
        match self.next():
            case "{":
                return self.container(path, depth, "}", self.members)
            case "[":
                return self.container(path, depth, "]", self.items)
            case '"':
                return self.string(path)
            case _:
                return self.scalar(path)

    def container(self, path: str, depth: int, end: str, content: Callable[[str, int], Any]) -> Any:
        if depth == self.max_depth:
            raise JsonError(too_deep(self.max_depth), path)
        self.at += 1
        found = content(path, depth + 1)
        if not self.take(end):
            self.refuse(path, f"expected ',' or '{end}'")
        return found

    def members(self, path: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.next() == "}":
            return found
        while True:
            if self.next() != '"':
                self.refuse(path, "expected a member's name in double quotes")
            name = self.string(path)
            here = member(path, name)
            if name in found:
                raise JsonError("this name stands more than once in its object", here)
            if not self.take(":"):
                self.refuse(here, "expected ':'")
            found[name] = self.value(here, depth)
            if not self.take(","):
                return found

    def items(self, path: str, depth: int) -> list[Any]:
        found: list[Any] = []
        if self.next() == "]":
            return found
        while True:
            found.append(self.value(f"{path}[{len(found)}]", depth))
            if not self.take(","):
                return found

    def string(self, path: str) -> str:
        token = _STRING.match(self.text, self.at)
        if token is None:
            self.refuse(path, "expected a string without control characters or unknown escapes, closed by '\"'")
        self.at = token.end()
        text = token[1]
        if "\\" in text:
            text = _ESCAPE.sub(_unescape, text)
            if SURROGATE.search(text):
                raise JsonError(LONE_SURROGATE, path)
        return text

    def scalar(self, path: str) -> Any:
        if token := _NUMBER.match(self.text, self.at):
            self.at = token.end()
            try:
                return number(token[0]) if token[1] else integer(token[0])
            except NumberError as error:
                raise JsonError(str(error), path) from None
        token = _WORD.match(self.text, self.at)
        if token is None:
            self.refuse(path, "expected a value")
        if token[0] not in _WORDS:
            raise JsonError(f"{token[0]} is not a JSON value", path)
        self.at = token.end()
        return _WORDS[token[0]]


def _unescape(escape: re.Match[str]) -> str:
    high, low, unit, short = escape.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00))
    return chr(int(unit, 16)) if unit else _SHORT.get(short, short)

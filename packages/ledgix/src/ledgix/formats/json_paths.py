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
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}", re.ASCII)
_SHOWN = 64


def read(raw: bytes, *, max_depth: int) -> Any:
    """The JSON value that `raw` stands for; raises JsonError with the path of what is wrong."""
    if raw.startswith(b"\xef\xbb\xbf"):
        raise JsonError("starts with a byte order mark")
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise JsonError(f"not UTF-8 at byte {error.start}") from None
    return _Reader(text, max_depth).document()


def member(path: str, name: str) -> str:
    """The path of an object's member."""
    if _IDENTIFIER.fullmatch(name):
        return f"{path}.{name}"
    return f"{path}[{dumps(name if len(name) <= _SHOWN else name[:_SHOWN] + '…')}]"


def too_deep(max_depth: int) -> str:
    """What is said of a value below the deepest level."""
    return f"nested more than {max_depth} levels deep"


class _Reader:
    def __init__(self, text: str, max_depth: int) -> None:
        self.text = text
        self.at = 0
        self.max_depth = max_depth
        self.steps: list[str | int] = []

    def refuse(self, message: str) -> NoReturn:
        path = "$"
        for step in self.steps:
            path = member(path, step) if isinstance(step, str) else f"{path}[{step}]"
        raise JsonError(message, path)

    def refuse_text(self, expected: str) -> NoReturn:
        found = repr(self.text[self.at]) if self.at < len(self.text) else "the end"
        self.refuse(f"not JSON: {expected}, found {found} at character {self.at}")

    def next(self) -> str:
        """The character at which the next token starts; `""` at the end."""
        space = _SPACE.match(self.text, self.at)
        assert space is not None
        self.at = space.end()
        return self.text[self.at : self.at + 1]

    def take(self, mark: str) -> bool:
        if self.next() != mark:
            return False
        self.at += 1
        return True

    def document(self) -> Any:
        value = self.value()
        if self.next():
            self.refuse_text("nothing more may follow")
        return value

    def value(self) -> Any:
        match self.next():
            case "{":
                return self.container({}, self.members, "}")
            case "[":
                return self.container([], self.items, "]")
            case '"':
                return self.string()
            case _:
                return self.scalar()

    def container(self, empty: Any, content: Callable[[], Any], end: str) -> Any:
        if len(self.steps) == self.max_depth:
            self.refuse(too_deep(self.max_depth))
        self.at += 1
        if self.take(end):
            return empty
        found = content()
        if not self.take(end):
            self.refuse_text(f"expected ',' or '{end}'")
        return found

    def members(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while True:
            if self.next() != '"':
                self.refuse_text("expected a member's name in double quotes")
            name = self.string()
            self.steps.append(name)
            if name in found:
                self.refuse("this name stands more than once in its object")
            if not self.take(":"):
                self.refuse_text("expected ':'")
            found[name] = self.value()
            self.steps.pop()
            if not self.take(","):
                return found

    def items(self) -> list[Any]:
        found: list[Any] = []
        while True:
            self.steps.append(len(found))
            found.append(self.value())
            self.steps.pop()
            if not self.take(","):
                return found

    def string(self) -> str:
        token = _STRING.match(self.text, self.at)
        if token is None:
            self.refuse_text("expected a string without control characters or unknown escapes, closed by '\"'")
        self.at = token.end()
        text = token[1]
        if "\\" in text:
            text = _ESCAPE.sub(_unescape, text)
            if SURROGATE.search(text):
                self.refuse(LONE_SURROGATE)
        return text

    def scalar(self) -> Any:
        if token := _NUMBER.match(self.text, self.at):
            self.at = token.end()
            try:
                return number(token[0]) if token[1] else integer(token[0])
            except NumberError as error:
                self.refuse(str(error))
        token = _WORD.match(self.text, self.at)
        if token is None:
            self.refuse_text("expected a value")
        if token[0] not in _WORDS:
            self.refuse(f"{token[0]} is not a JSON value")
        self.at = token.end()
        return _WORDS[token[0]]


def _unescape(escape: re.Match[str]) -> str:
    high, low, unit, short = escape.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + (int(low, 16) - 0xDC00))
    return chr(int(unit, 16)) if unit else _SHORT.get(short, short)

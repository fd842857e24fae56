"""YAML (and JSON, which is a part of it) as a tree that remembers where everything stands.

YAML's surprises are refused rather than interpreted: duplicate keys, aliases, tags, several documents, and, wherever a
text is expected, plain words that YAML reads as something else (`no`, `2024-01-01`, `1e3`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

import yaml

from ledgix_vault.policy.errors import PolicyError, Problem

LONGEST: Final = 128 * 1024
DEEPEST: Final = 12
_STRING: Final = "tag:yaml.org,2002:str"
_READ_AS: Final = {
    "tag:yaml.org,2002:bool": "true or false",
    "tag:yaml.org,2002:int": "a number",
    "tag:yaml.org,2002:float": "a number",
    "tag:yaml.org,2002:null": "null",
    "tag:yaml.org,2002:timestamp": "a date",
}


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar. `read_as` is "" for a text, else what YAML takes the plain word for."""

    line: int
    column: int
    value: str
    read_as: str
    style: str | None
    source: list[str] = field(repr=False)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of a character of `value`; the start of the scalar where it is written with escapes or
        folded over lines."""
        if self.style == "|":
            return self._place_in_block(offset)
        start = self.column - 1 + (self.style is not None)
        written = self.source[self.line - 1] if self.line <= len(self.source) else ""
        if written[start : start + len(self.value)] == self.value and self.style != ">":
            return self.line, start + offset + 1
        return self.line, self.column

    def _place_in_block(self, offset: int) -> tuple[int, int]:
        before = self.value[:offset]
        nth, within = before.count("\n"), offset - (before.rfind("\n") + 1)
        line = self.line + 1 + nth
        written = self.source[line - 1] if line <= len(self.source) else ""
        indent = len(written) - len(self.value.split("\n")[nth])  # a block's lines stand there as they are
        return line, indent + within + 1


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence."""

    line: int
    column: int
    items: list[Marked]


@dataclass(frozen=True, slots=True)
class Members:
    """A mapping; no two keys are equal."""

    line: int
    column: int
    members: dict[str, tuple[Text, Marked]]


Marked: TypeAlias = Text | Items | Members


def read(text: str) -> Marked:
    """The one document in `text`; raises PolicyError with line and column."""
    if len(text) > LONGEST:
        raise PolicyError([Problem(f"a definition has at most {LONGEST // 1024} Ki characters")])
    try:
        return _Builder(text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        raise PolicyError([Problem(str(error.problem or error.context), line, column)]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        raise PolicyError([Problem("a character that YAML doesn't allow", line, column)]) from None


class _Builder:
    """Builds the tree from the parser's events, which come without recursion; depth is counted on the way."""

    def __init__(self, text: str) -> None:
        self.source = text.splitlines()
        self.loader = yaml.SafeLoader(text)

    def document(self) -> Marked:
        self.next()  # the start of the stream
        if isinstance(self.next(), yaml.StreamEndEvent):
            raise PolicyError([Problem("the definition is empty", 1, 1)])
        root = self.node(self.next(), 1)
        self.next()  # the document's end
        if not isinstance(after := self.next(), yaml.StreamEndEvent):
            raise _refused("one definition is one YAML document", after)
        return root

    def next(self) -> yaml.Event:
        return cast(yaml.Event, self.loader.get_event())  # type: ignore[no-untyped-call]

    def node(self, event: yaml.Event, depth: int) -> Marked:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _refused("anchors and aliases are not used here: write it out", event)
        if depth > DEEPEST:
            raise _refused(f"nested more than {DEEPEST} deep", event)
        match event:
            case yaml.ScalarEvent():
                return self.text(event)
            case yaml.SequenceStartEvent():
                return self.items(event, depth)
            case yaml.MappingStartEvent():
                return self.members(event, depth)
        raise _refused("not expected here", event)

    def text(self, event: yaml.ScalarEvent) -> Text:
        if event.tag is not None and event.tag != "!":
            raise _refused("tags are not used here", event)
        tag: str = self.loader.resolve(yaml.ScalarNode, event.value, event.implicit)  # type: ignore[no-untyped-call]
        return Text(
            *_start(event),
            self.whole_characters(event),
            "" if tag == _STRING else _READ_AS.get(tag, "something else than text"),
            event.style,
            self.source,
        )

    def items(self, event: yaml.SequenceStartEvent, depth: int) -> Items:
        self.untagged(event)
        items: list[Marked] = []
        while not isinstance(inner := self.next(), yaml.SequenceEndEvent):
            items.append(self.node(inner, depth + 1))
        return Items(*_start(event), items)

    def members(self, event: yaml.MappingStartEvent, depth: int) -> Members:
        self.untagged(event)
        members: dict[str, tuple[Text, Marked]] = {}
        while not isinstance(inner := self.next(), yaml.MappingEndEvent):
            key = self.node(inner, depth + 1)
            if not isinstance(key, Text):
                raise _refused("a key must be a plain name", inner)
            if key.value in members:
                raise _refused(f"`{key.value}` stands here twice", inner)
            members[key.value] = (key, self.node(self.next(), depth + 1))
        return Members(*_start(event), members)

    def untagged(self, event: yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            raise _refused("tags are not used here", event)

    def whole_characters(self, event: yaml.ScalarEvent) -> str:
        """JSON writes one character as two escapes (`\\ud83d\\ude00`); half a pair alone is refused."""
        value: str = event.value
        try:
            return value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise _refused("half a surrogate pair is no character", event) from None


def _refused(message: str, event: yaml.Event) -> PolicyError:
    return PolicyError([Problem(message, *_start(event))])


def _start(event: yaml.Event) -> tuple[int, int]:
    """Line and column, counted from 1."""
    assert event.start_mark is not None
    return event.start_mark.line + 1, event.start_mark.column + 1

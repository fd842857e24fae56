"""Putting a document's text together, block by block, and cutting it into chunks.

The text is what the blocks say, with one empty line between two of them. Characters that nobody sees (zero-width, marks
of writing direction, controls) are taken out and counted: they could make a text read otherwise than it looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ledgix_vault.documents.limits import MOST_CHARACTERS, MOST_CHUNKS
from ledgix_vault.documents.refusal import DocumentError, RefusalCode
from ledgix_vault.sources.document import Chunk, Finding, FindingCode, ReadDocument

CHUNK_TARGET = 700
"""Characters after which a chunk takes no further block."""
CHUNK_LIMIT = 1_200
"""Characters of a chunk at most: a longer block is cut between sentences, or at worst between words."""
LONGEST_HEADING = 200
DEEPEST_HEADING = 9
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
_SOFT_HYPHEN = "\u00ad"
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"})
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?;:])\s+|\n+")
_SPACE = re.compile(r"\s+")
SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class _Block:
    begins: int
    ends: int
    page: int | None
    heading: tuple[str, ...]


@dataclass(slots=True)
class Assembly:
    """A document in the making."""

    pages: int | None = None
    _parts: list[str] = field(default_factory=list)
    _length: int = 0
    _blocks: list[_Block] = field(default_factory=list)
    _headings: list[tuple[int, str]] = field(default_factory=list)
    _findings: list[Finding] = field(default_factory=list)
    _invisible: int = 0
    _first_invisible: str = ""

    def find(self, code: FindingCode, message: str) -> None:
        """Notes what a person should know."""
        self._findings.append(Finding(code, message))

    def heading(self, text: str, level: int, page: int | None = None) -> None:
        """A heading: it stands in the text, and above what follows. Level 1 is the highest."""
        title = _SPACE.sub(" ", self._clean(text)).strip()
        if not title:
            return
        while self._headings and self._headings[-1][0] >= level:
            self._headings.pop()
        if len(self._headings) < DEEPEST_HEADING:
            self._headings.append((level, title[:LONGEST_HEADING]))
        self._add(title, page)

    def block(self, text: str, page: int | None = None) -> None:
        """A paragraph, a list item, a row: what belongs together."""
        cleaned = self._clean(text).strip("\n")
        if cleaned.strip():
            self._add(cleaned.rstrip(), page)

    def finish(self) -> ReadDocument:
        """The whole document; raises `DocumentError` if there is nothing in it."""
        if not self._blocks:
            raise DocumentError(RefusalCode.EMPTY, "There is no text in this document.")
        if self._invisible:
            where = f"; the first stands near “{self._first_invisible}”" if self._first_invisible else ""
            self.find(
                FindingCode.INVISIBLE_CHARACTERS,
                f"{self._invisible} characters that nobody sees were taken out{where}.",
            )
        text = "".join(self._parts)
        chunks = tuple(_cut(self._blocks, text))
        if len(chunks) > MOST_CHUNKS:
            raise DocumentError(RefusalCode.TOO_LONG, f"The document has more than {MOST_CHUNKS:,} pieces of text.")
        return ReadDocument(text, chunks, tuple(self._findings), self.pages)

    def _clean(self, text: str) -> str:
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace(_SOFT_HYPHEN, "").translate(_LIGATURES)
        cleaned, taken = _INVISIBLE.subn("", text)
        if taken:
            if not self._invisible:
                self._first_invisible = _SPACE.sub(" ", cleaned).strip()[:60]
            self._invisible += taken
        return cleaned

    def _add(self, text: str, page: int | None) -> None:
        if self._parts:
            self._parts.append(SEPARATOR)
            self._length += len(SEPARATOR)
        begins = self._length
        self._parts.append(text)
        self._length += len(text)
        if self._length > MOST_CHARACTERS:
            raise DocumentError(RefusalCode.TOO_LONG, f"The text has more than {MOST_CHARACTERS:,} characters.")
        path = tuple(title for _, title in self._headings)
        self._blocks.append(_Block(begins, self._length, page, path))


def _cut(blocks: list[_Block], text: str) -> Iterator[Chunk]:
    """Neighbouring blocks under one heading of one page, as long as they are short together."""
    begins, last = blocks[0].begins, blocks[0]
    for block in blocks[1:]:
        same = (block.page, block.heading) == (last.page, last.heading)
        if not same or block.ends - begins > CHUNK_TARGET:
            yield from _pieces(begins, last, text)
            begins = block.begins
        last = block
    yield from _pieces(begins, last, text)


def _pieces(begins: int, last: _Block, text: str) -> Iterator[Chunk]:
    while last.ends - begins > CHUNK_LIMIT:
        ends = _cutting_place(text, begins, begins + CHUNK_LIMIT)
        yield Chunk(last.page, last.heading, begins, ends)
        begins = ends
        while begins < last.ends and text[begins].isspace():
            begins += 1
    if begins < last.ends:
        yield Chunk(last.page, last.heading, begins, last.ends)


def _cutting_place(text: str, begins: int, limit: int) -> int:
    cuts = [found.start() for found in _BETWEEN_SENTENCES.finditer(text, begins + 1, limit)]
    if cuts:
        return cuts[-1]
    space = text.rfind(" ", begins + 1, limit)
    return space if space > begins else limit

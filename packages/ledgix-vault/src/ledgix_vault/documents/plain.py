"""Plain text, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import Json
from ledgix_vault.documents.assembly import Assembly
from ledgix_vault.documents.encodings import decode
from ledgix_vault.documents.headings import heading_level
from ledgix_vault.documents.limits import MOST_CELLS
from ledgix_vault.documents.refusal import DocumentError, RefusalCode
from ledgix_vault.sources.document import FindingCode

_LINE_END = re.compile(r"\r\n|\r|\n")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_SETEXT = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_DELIMITERS = ",;\t|"


def read_text(content: bytes, assembly: Assembly) -> None:
    """Paragraphs are what empty lines part; headings are told by their looks."""
    for lines in _paragraphs(decode(content, assembly)):
        for piece in _by_headings(lines):
            level = heading_level(piece[0]) if len(piece) == 1 else None
            if level is not None:
                assembly.heading(piece[0], level)
            else:
                assembly.block("\n".join(piece))


def _by_headings(lines: list[str]) -> Iterator[list[str]]:
    """A first line that looks like a heading stands alone."""
    if len(lines) > 1 and heading_level(lines[0]) is not None:
        yield lines[:1]
        lines = lines[1:]
    yield lines


def read_markdown(content: bytes, assembly: Assembly) -> None:
    """Markdown as written; `#` and underlined headings make the path. Nothing inside a fence is a heading."""
    paragraph: list[str] = []
    fence = ""
    text = decode(content, assembly)
    if "<!--" in text:
        assembly.find(FindingCode.HIDDEN_TEXT, "HTML comments (<!-- … -->) don't show on a page; they are in the text.")
    for line in [*_LINE_END.split(text), ""]:
        if fence or (opened := _FENCE.match(line)):
            closes = fence and line.strip().startswith(fence)
            fence = "" if closes else fence or (opened[1] if opened else "")
            paragraph.append(line)
        elif heading := _ATX.match(line):
            _flush(paragraph, assembly)
            assembly.heading(heading[2], len(heading[1]))
        elif len(paragraph) == 1 and paragraph[0].strip() and (under := _SETEXT.match(line)):
            assembly.heading(paragraph.pop(), 1 if under[1].startswith("=") else 2)
        elif line.strip():
            paragraph.append(line)
        else:
            _flush(paragraph, assembly)
    _flush(paragraph, assembly)


def _flush(paragraph: list[str], assembly: Assembly) -> None:
    assembly.block("\n".join(paragraph))
    paragraph.clear()


def _paragraphs(text: str) -> Iterator[list[str]]:
    lines: list[str] = []
    for line in [*_LINE_END.split(text), ""]:
        if line.strip():
            lines.append(line)
        elif lines:
            yield lines
            lines = []


def read_csv(content: bytes, assembly: Assembly) -> None:
    """Each row is a line `column: value`; all rows must be as long as the first, which names the columns."""
    text = decode(content, assembly)
    first = text.partition("\n")[0]
    delimiter = max(_DELIMITERS, key=first.count)
    cells, names = 0, None
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            cells += len(row)
            if cells > MOST_CELLS:
                raise DocumentError(RefusalCode.TOO_LONG, f"The table has more than {MOST_CELLS:,} cells.")
            if not any(cell.strip() for cell in row):
                continue
            if names is None:
                names = row
                assembly.block(" | ".join(row))
                continue
            _add_row(assembly, names, row)
    except csv.Error as error:
        raise DocumentError(RefusalCode.UNREADABLE, f"The CSV is damaged: {error}.") from error


def _add_row(assembly: Assembly, names: list[str], row: list[str]) -> None:
    if len(row) != len(names):
        raise DocumentError(
            RefusalCode.UNREADABLE,
            f"A row of the CSV has {len(row)} cells, the first row {len(names)}: “{' | '.join(row)[:80]}”.",
        )
    assembly.block(" | ".join(f"{name.strip()}: {cell.strip()}" for name, cell in zip(names, row, strict=True) if cell))


def read_json(content: bytes, assembly: Assembly) -> None:
    """Each value is a line `path: value`; members of the root are headings."""
    decode(content, assembly)  # says more helpfully what is wrong with an encoding
    try:
        root = json.parse(content.removeprefix(b"\xef\xbb\xbf"))
    except JsonError as error:
        raise DocumentError(RefusalCode.UNREADABLE, f"The JSON is wrong at {error.path}: {error.message}.") from error
    if isinstance(root, dict):
        for name, value in root.items():
            assembly.heading(name, 1)
            _add_lines(value, name, assembly)
    else:
        _add_lines(root, "", assembly)


def _add_lines(value: Json, path: str, assembly: Assembly) -> None:
    lines: list[str] = []
    length = 0
    for place, leaf in _leaves(value, path):
        line = f"{place}: {leaf}" if place else leaf
        if lines and length + len(line) > 500:
            assembly.block("\n".join(lines))
            lines, length = [], 0
        lines.append(line)
        length += len(line)
    assembly.block("\n".join(lines))


def _leaves(value: Json, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value if isinstance(value, str) else json.dumps(value).decode()

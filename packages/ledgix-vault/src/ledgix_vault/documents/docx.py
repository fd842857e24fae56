"""DOCX: what a reader of the printed page would read.

- Tracked deletions are left out, insertions are kept, both are reported: the document isn't settled.
- Comments are left out and reported. Hidden text is kept and reported: somebody should look at it.
- Table rows are lines with ` | ` between the cells. Notes at the foot follow at the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ledgix_vault.documents.assembly import Assembly
from ledgix_vault.documents.package import Package
from ledgix_vault.documents.refusal import DocumentError, RefusalCode
from ledgix_vault.sources.document import FindingCode

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
BODY = "word/document.xml"
_HEADING_NAME = re.compile(r"heading (\d)$", re.I)
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_GONE = {"del", "moveFrom"}
_NEW = {"ins", "moveTo"}
_OFF = {"0", "false", "off"}
CELL = " | "


def read_docx(content: bytes, assembly: Assembly) -> None:
    """Adds the document's text; raises `DocumentError`."""
    package = Package(content)
    if BODY not in package.names:
        raise DocumentError(RefusalCode.OTHER_TYPE, f"This is no DOCX: it has no part {BODY}.")
    reader = _Reader(assembly, _heading_styles(package))
    reader.read(package, BODY)
    for notes in ("word/footnotes.xml", "word/endnotes.xml"):
        if notes in package.names:
            reader.read(package, notes)
    reader.report()
    if "word/comments.xml" in package.names:
        count = sum(event == "end" and element.tag == f"{_W}comment" for event, element in _tags(package))
        if count:
            assembly.find(FindingCode.COMMENTS, f"{count} comments were left out.")
    if any(re.fullmatch(r"word/(header|footer)\d*\.xml", name) for name in package.names):
        assembly.find(FindingCode.LEFT_OUT, "What stands in headers and footers of the pages was left out.")


def _tags(package: Package) -> Any:
    return package.elements("word/comments.xml")


def _heading_styles(package: Package) -> dict[str, int]:
    """Levels of the styles that are headings, by style id, whatever language the office program speaks."""
    levels = {f"Heading{level}": level for level in range(1, 10)} | {"Title": 1}
    if "word/styles.xml" not in package.names:
        return levels
    for event, element in package.elements("word/styles.xml"):
        if event == "end" and element.tag == f"{_W}style":
            name = element.find(f"{_W}name")
            outline = element.find(f"{_W}pPr/{_W}outlineLvl")
            style = str(element.get(f"{_W}styleId"))
            if name is not None and (named := _HEADING_NAME.match(str(name.get(f"{_W}val")))):
                levels[style] = max(1, int(named[1]))
            elif outline is not None and (value := str(outline.get(f"{_W}val"))) in set("012345678"):
                levels[style] = int(value) + 1
            element.clear()
    return levels


@dataclass(slots=True)
class _Paragraph:
    text: list[str] = field(default_factory=list)
    level: int | None = None


@dataclass(slots=True)
class _Reader:
    assembly: Assembly
    styles: dict[str, int]
    _paragraphs: list[_Paragraph] = field(default_factory=list)
    _cells: list[list[str]] = field(default_factory=list)
    _rows: list[list[str]] = field(default_factory=list)
    _skipped: int = 0
    _fallback: int = 0
    _inserted: int = 0
    _run_hidden: bool = False
    _deletions: list[str] = field(default_factory=list)
    _insertions: list[str] = field(default_factory=list)
    _hidden: list[str] = field(default_factory=list)

    def read(self, package: Package, part: str) -> None:
        for event, element in package.elements(part):
            if element.tag == _FALLBACK:  # says again what the other choice said
                self._fallback += 1 if event == "start" else -1
            elif not self._fallback and element.tag.startswith(_W):
                tag = element.tag[len(_W) :]
                (self._start if event == "start" else self._end)(tag, element)
            if event == "end":
                element.clear()

    def _start(self, tag: str, element: Any) -> None:
        if tag == "p":
            self._paragraphs.append(_Paragraph())
        elif tag == "tr":
            self._rows.append([])
        elif tag == "tc":
            self._cells.append([])
        elif tag in _GONE:
            self._skipped += 1
        elif tag in _NEW:
            self._inserted += 1
        elif tag == "r":
            self._run_hidden = False
        elif tag == "vanish":
            self._run_hidden = str(element.get(f"{_W}val", "1")).lower() not in _OFF
        elif tag == "pStyle" and self._paragraphs:
            self._paragraphs[-1].level = self.styles.get(str(element.get(f"{_W}val")))
        elif tag == "outlineLvl" and self._paragraphs and (value := str(element.get(f"{_W}val"))) in set("012345678"):
            self._paragraphs[-1].level = int(value) + 1

    def _end(self, tag: str, element: Any) -> None:
        if tag in ("t", "delText"):
            self._take(str(element.text or ""))
        elif tag in _CHARACTERS:
            self._take(_CHARACTERS[tag])
        elif tag == "sym":
            self._take(_symbol(str(element.get(f"{_W}char", ""))))
        elif tag == "p" and self._paragraphs:
            self._finish_paragraph(self._paragraphs.pop())
        elif tag == "tc" and self._cells:
            cell = " ".join(self._cells.pop())
            if self._rows:
                self._rows[-1].append(cell)
        elif tag == "tr" and self._rows:
            self._add(CELL.join(self._rows.pop()))
        elif tag in _GONE:
            self._skipped = max(0, self._skipped - 1)
        elif tag in _NEW:
            self._inserted = max(0, self._inserted - 1)

    def _take(self, text: str) -> None:
        if self._skipped:
            self._deletions.append(text)
            return
        if self._inserted:
            self._insertions.append(text)
        if self._run_hidden and text.strip():
            self._hidden.append(text)
        if self._paragraphs:
            self._paragraphs[-1].text.append(text)

    def _finish_paragraph(self, paragraph: _Paragraph) -> None:
        text = "".join(paragraph.text)
        if not text.strip():
            return
        if paragraph.level is not None and not self._cells:
            self.assembly.heading(text, paragraph.level)
        else:
            self._add(text)

    def _add(self, text: str) -> None:
        if self._cells:
            self._cells[-1].append(text)
        else:
            self.assembly.block(text)

    def report(self) -> None:
        for code, found, what in (
            (FindingCode.TRACKED_DELETIONS, self._deletions, "deleted in tracked changes, and left out"),
            (FindingCode.TRACKED_INSERTIONS, self._insertions, "inserted in tracked changes that nobody accepted yet"),
            (FindingCode.HIDDEN_TEXT, self._hidden, "hidden from a reader of the page"),
        ):
            if sample := "".join(found).strip():
                shown = sample if len(sample) <= 120 else f"{sample[:119]}…"
                self.assembly.find(code, f"This is {what}: “{shown}”.")


def _symbol(code: str) -> str:
    try:
        return chr(int(code, 16))
    except (ValueError, OverflowError):
        return "\ufffd"

"""PDF: the text layer, page by page. What has none is refused: an empty policy must never look like a policy."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from typing import Any

from pypdf import PageObject, PdfReader
from pypdf.errors import LimitReachedError, PyPdfError

from ledgix_vault.documents.assembly import Assembly
from ledgix_vault.documents.headings import continues, heading_level, joined
from ledgix_vault.documents.limits import MOST_PAGES
from ledgix_vault.documents.refusal import DocumentError, RefusalCode
from ledgix_vault.sources.document import FindingCode

SIGNATURE = b"%PDF-"
MOST_NAMED_PAGES = 20
MOST_OUTLINE = 5_000
_NOTES = {"/Text", "/FreeText", "/StrikeOut", "/Highlight", "/Caret"}
BROKEN = (
    PyPdfError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    NotImplementedError,
    RecursionError,
    UnicodeError,
    OSError,
)
"""What pypdf raises for files that were mended by accident or on purpose; each means the same to us."""


def read_pdf(content: bytes, assembly: Assembly) -> None:
    """Adds the document's text; raises `DocumentError`."""
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        _read(content, assembly)
    except LimitReachedError as error:
        raise DocumentError(RefusalCode.BOMB, f"The PDF unpacks to more than any document needs: {error}.") from error
    except BROKEN as error:
        raise DocumentError(RefusalCode.UNREADABLE, f"The PDF is damaged: {error}.") from error


def _read(content: bytes, assembly: Assembly) -> None:
    if SIGNATURE not in content[:1024]:
        raise DocumentError(RefusalCode.OTHER_TYPE, "This is no PDF: it doesn't begin like one.")
    reader = PdfReader(io.BytesIO(content))
    if reader.is_encrypted:
        raise DocumentError(RefusalCode.ENCRYPTED, "The PDF is encrypted. Save it without a password, then upload it.")
    pages = len(reader.pages)
    if pages > MOST_PAGES:
        raise DocumentError(RefusalCode.TOO_LONG, f"The PDF has {pages:,} pages; at most {MOST_PAGES:,} are read.")
    assembly.pages = pages
    outline = _outline(reader)
    empty, notes = [], 0
    for number, page in enumerate(reader.pages, 1):
        text = page.extract_text()
        if text.strip():
            _add_page(text, number, outline, assembly)
        else:
            empty.append(number)
        notes += _count_notes(page)
    if len(empty) == pages:
        raise DocumentError(
            RefusalCode.NO_TEXT_LAYER,
            "The PDF has no text layer: its pages are images. Run text recognition (OCR) on it, then upload that.",
        )
    if empty:
        named = ", ".join(map(str, empty[:MOST_NAMED_PAGES])) + (" …" if len(empty) > MOST_NAMED_PAGES else "")
        assembly.find(FindingCode.PAGES_WITHOUT_TEXT, f"These pages have no text, perhaps images of it: {named}.")
    if notes:
        assembly.find(FindingCode.COMMENTS, f"{notes} notes and marks on the pages were left out.")


def _add_page(text: str, number: int, outline: dict[str, int], assembly: Assembly) -> None:
    paragraph: list[str] = []
    for line in [*text.splitlines(), ""]:
        stripped = line.strip()
        if paragraph and stripped and continues(paragraph[-1], stripped):
            paragraph.append(stripped)
            continue
        if paragraph:
            _add_paragraph(joined(paragraph), number, outline, assembly)
        paragraph = [stripped] if stripped else []


def _add_paragraph(text: str, number: int, outline: dict[str, int], assembly: Assembly) -> None:
    level = outline.get(_plain(text)) or heading_level(text)
    if level is not None:
        assembly.heading(text, level, number)
    else:
        assembly.block(text, number)


def _outline(reader: PdfReader) -> dict[str, int]:
    """The bookmarks' titles with their level; none when they are damaged."""
    try:
        found: dict[str, int] = {}
        for title, level in _titles(reader.outline, 1):
            found.setdefault(_plain(title), level)
            if len(found) >= MOST_OUTLINE:
                break
        return found
    except BROKEN:  # the text is what counts; headings are then told by their looks
        return {}


def _titles(items: Any, level: int) -> Iterator[tuple[str, int]]:
    for item in items:
        if isinstance(item, list):
            yield from _titles(item, level + 1)
        elif item.title:
            yield str(item.title), level


def _plain(text: str) -> str:
    return "".join(text.split()).casefold()


def _count_notes(page: PageObject) -> int:
    annotations = page.get("/Annots")
    found = annotations.get_object() if annotations is not None else None
    if not isinstance(found, list):
        return 0
    kinds = (item.get_object() for item in found[:1000])
    return sum(1 for note in kinds if isinstance(note, dict) and note.get("/Subtype") in _NOTES)

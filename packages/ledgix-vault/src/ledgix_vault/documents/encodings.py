"""From bytes to text: what says its own encoding is believed, UTF-8 is tried, the rest is guessed and flagged."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from ledgix_vault.documents.assembly import Assembly
from ledgix_vault.documents.refusal import DocumentError, RefusalCode
from ledgix_vault.sources.document import FindingCode

SAMPLE = 65_536
"""Bytes from which an encoding is guessed."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]{1,40})", re.I)
_TEXTUAL = re.compile(r"(utf|iso|cp|windows|latin|koi|big5|gb|euc|shift|mac|ascii|tis)", re.I)


def decode(content: bytes, assembly: Assembly, *, is_html: bool = False) -> str:
    """The text of these bytes; a guess becomes a finding, and bytes that are no text raise `DocumentError`."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return _strictly(content[len(mark) :], encoding)
    declared = _META.search(content[:4096]) if is_html else None
    if declared is not None and _is_text_encoding(name := declared[1].decode("ascii")):
        return _strictly(content, name)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return _guess(content, assembly)


def _guess(content: bytes, assembly: Assembly) -> str:
    best = None if b"\0" in content[:SAMPLE] else from_bytes(content[:SAMPLE]).best()
    if best is None:
        raise DocumentError(RefusalCode.UNREADABLE, "This is no text in an encoding that can be recognised; use UTF-8.")
    text = _strictly(content, best.encoding)
    assembly.find(
        FindingCode.ENCODING_GUESSED,
        f"The text isn't UTF-8 and doesn't say what it is; it was read as {best.encoding}. Look at its accents.",
    )
    return text


def _strictly(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError) as error:
        raise DocumentError(RefusalCode.UNREADABLE, f"The text isn't the {encoding} that it says: {error}.") from error


def _is_text_encoding(name: str) -> bool:
    try:
        return bool(_TEXTUAL.match(codecs.lookup(name).name))
    except LookupError:
        return False

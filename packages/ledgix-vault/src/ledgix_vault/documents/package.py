"""The zip that a DOCX is, opened with suspicion: what it declares and what comes out are both counted."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from ledgix_vault.documents.limits import MOST_PARTS, MOST_UNPACKED
from ledgix_vault.documents.refusal import DocumentError, RefusalCode

SIGNATURE = b"PK\x03\x04"
_ENCRYPTED = 0x1
_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError)


class Package:
    """The parts of an Office document, by name."""

    def __init__(self, content: bytes) -> None:
        if content.startswith(_OLD_OFFICE):
            raise DocumentError(
                RefusalCode.ENCRYPTED, "This is an encrypted or an old .doc file. Save it as .docx without a password."
            )
        if not content.startswith(SIGNATURE):
            raise DocumentError(RefusalCode.OTHER_TYPE, "This is no DOCX: it doesn't begin like one.")
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(content))
        except _BROKEN as error:
            raise DocumentError(RefusalCode.UNREADABLE, f"The DOCX is damaged: {error}.") from error
        parts = self._zip.infolist()
        self.names = {part.filename for part in parts}
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED:
            raise DocumentError(RefusalCode.BOMB, "The DOCX unpacks to more than any document needs.")
        if len(self.names) != len(parts):
            raise DocumentError(RefusalCode.UNREADABLE, "The DOCX holds two parts of the same name.")
        if any(part.flag_bits & _ENCRYPTED for part in parts):
            raise DocumentError(RefusalCode.ENCRYPTED, "The DOCX is encrypted. Save it without a password.")

    def elements(self, name: str) -> Iterator[tuple[str, Any]]:
        """`start` and `end` of every element of an XML part, in order. No DTD, no entity, nothing from outside."""
        try:
            with self._zip.open(name) as part:
                yield from iterparse(_Counted(part), events=("start", "end"), forbid_dtd=True)
        except DefusedXmlException as error:
            raise DocumentError(
                RefusalCode.ENTITIES,
                f"The part {name} of the DOCX declares a document type or entities, which no office program writes.",
            ) from error
        except (ParseError, *_BROKEN) as error:
            raise DocumentError(RefusalCode.UNREADABLE, f"The part {name} of the DOCX is damaged: {error}.") from error


class _Counted:
    """A stream that ends in a refusal when more comes out than may, whatever the zip declares."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MOST_UNPACKED

    def read(self, size: int = 65_536) -> bytes:
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise DocumentError(RefusalCode.BOMB, "The DOCX unpacks to more than any document needs.")
        return chunk

"""A document as the Vault keeps it.

- A version is immutable: its original bytes, its text, its chunks and what was found while reading it.
- A chunk is a range of the version's text, `text[begins:ends]`, counted in characters; it can't say anything else.
- What was found never changes what the text says: a finding tells a person what to look at.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256

from ledgix.formats import jcs
from ledgix.formats.json import Json, JsonObject

LONGEST_NAME = 256


class MediaKind(StrEnum):
    """What can be read. The value is the media type."""

    PDF = "application/pdf"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    HTML = "text/html"
    MARKDOWN = "text/markdown"
    TEXT = "text/plain"
    JSON = "application/json"
    CSV = "text/csv"
    CONFLUENCE = "application/vnd.atlassian.confluence.storage"


class Origin(StrEnum):
    """How a document came in."""

    UPLOAD = "upload"
    PASTE = "paste"
    CONFLUENCE = "confluence"


class FindingCode(StrEnum):
    """What a person should know about how a document was read; a closed set."""

    ENCODING_GUESSED = "encoding_guessed"
    INVISIBLE_CHARACTERS = "invisible_characters"
    TRACKED_DELETIONS = "tracked_deletions"
    TRACKED_INSERTIONS = "tracked_insertions"
    COMMENTS = "comments"
    HIDDEN_TEXT = "hidden_text"
    PAGES_WITHOUT_TEXT = "pages_without_text"
    UNKNOWN_MACRO = "unknown_macro"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was noticed, in words for a person."""

    code: FindingCode
    message: str

    def to_json(self) -> JsonObject:
        return {"code": str(self.code), "message": self.message}

    @classmethod
    def from_json(cls, stored: JsonObject) -> Finding:
        return cls(FindingCode(str(stored["code"])), str(stored["message"]))


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a version's text under one heading. `page` counts from 1; None where there are no pages."""

    page: int | None
    heading: tuple[str, ...]
    begins: int
    ends: int

    def to_json(self) -> JsonObject:
        return {"page": self.page, "heading": list(self.heading), "begins": self.begins, "ends": self.ends}


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """What reading a document's bytes gave."""

    text: str
    chunks: tuple[Chunk, ...]
    findings: tuple[Finding, ...]
    pages: int | None

    def to_json(self) -> JsonObject:
        findings: list[Json] = [finding.to_json() for finding in self.findings]
        chunks: list[Json] = [chunk.to_json() for chunk in self.chunks]
        return {"text": self.text, "chunks": chunks, "findings": findings, "pages": self.pages}


@dataclass(frozen=True, slots=True)
class DocumentVersion:
    """One version without its bytes and text. Hashes are hex SHA-256; `added_at` is in microseconds."""

    tenant_id: str
    document_version_id: str
    document_id: str
    version: int
    name: str
    media_type: MediaKind
    origin: Origin
    original_hash: str
    original_size: int
    text_hash: str
    text_length: int
    pages: int | None
    chunks: int
    chunks_hash: str
    findings: tuple[Finding, ...]
    newest: bool
    added_at: int
    added_by: str

    def facts(self) -> JsonObject:
        """What the ledger says about this version."""
        findings: list[Json] = [finding.to_json() for finding in self.findings]
        return {
            "document_id": self.document_id,
            "document_version_id": self.document_version_id,
            "version": self.version,
            "name": self.name,
            "media_type": str(self.media_type),
            "origin": str(self.origin),
            "original_sha256": self.original_hash,
            "text_sha256": self.text_hash,
            "pages": self.pages,
            "chunks": self.chunks,
            "chunks_sha256": self.chunks_hash,
            "findings": findings,
        }


def hash_bytes(content: bytes) -> str:
    """Hex SHA-256."""
    return sha256(content).hexdigest()


def hash_chunks(chunks: tuple[Chunk, ...]) -> str:
    """Hex SHA-256 over places and headings of all chunks, in RFC 8785 form."""
    found: list[Json] = [asdict(chunk) | {"heading": list(chunk.heading)} for chunk in chunks]
    return sha256(jcs.canonicalize(found)).hexdigest()

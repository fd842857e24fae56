"""Documents and Confluence."""

from __future__ import annotations

from ledgix_vault.sources.document import LONGEST_NAME, FindingCode, MediaKind, Origin
from ledgix_vault.web.api.components.terms import (
    BOOLEAN,
    HASH,
    INTEGER,
    MOMENT,
    STRING,
    UUID,
    Schema,
    a_list,
    an_object,
    one_of,
    or_null,
    ref,
)

_DOCUMENT: dict[str, Schema] = {
    "document_id": STRING,
    "document_version_id": UUID,
    "version": INTEGER,
    "name": STRING,
    "media_type": one_of(*MediaKind),
    "origin": one_of(*Origin),
    "original_sha256": HASH,
    "original_size": INTEGER,
    "text_sha256": HASH,
    "text_length": INTEGER,
    "pages": or_null(INTEGER),
    "chunks": INTEGER,
    "chunks_sha256": HASH,
    "findings": a_list(ref("Finding")),
    "newest": BOOLEAN,
    "added_at": MOMENT,
    "added_by": STRING,
}
_CHUNK: dict[str, Schema] = {
    "chunk": INTEGER,
    "page": or_null(INTEGER),
    "heading": a_list(STRING),
    "begins": INTEGER,
    "ends": INTEGER,
    "text": STRING,
}

SHAPES: dict[str, Schema] = {
    "PastedDocument": an_object(
        {"name": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}, "text": STRING},
        {"document_id": STRING, "format": one_of("text", "markdown", "html")},
    ),
    "Document": an_object(_DOCUMENT),
    "DocumentList": an_object({"documents": a_list(ref("Document"))}),
    "DocumentVersions": an_object({"versions": a_list(ref("Document"))}),
    "DocumentRemoved": an_object({"document_id": STRING, "removed_versions": INTEGER}),
    "DocumentChunks": an_object({**_DOCUMENT, "chunks": a_list(ref("Chunk"))}),
    "DocumentText": an_object({"document_version_id": UUID, "text_sha256": HASH, "text": STRING}),
    "OriginalBytes": {"type": "string", "format": "binary"},
    "Finding": an_object({"code": one_of(*FindingCode), "message": STRING}),
    "Chunk": an_object(_CHUNK),
    "Clause": an_object(
        {
            "document_id": STRING,
            "document_version_id": UUID,
            "version": INTEGER,
            "name": STRING,
            "text_sha256": HASH,
            **_CHUNK,
        }
    ),
    "ClauseList": an_object({"clauses": a_list(ref("Clause"))}),
    "ConfluenceImport": an_object({}, {"page_id": STRING, "space_key": STRING}),
    "ConfluenceSettings": an_object({"base_url": STRING, "email": STRING}),
    "ConfluenceConnection": an_object({"base_url": STRING, "email": STRING, "token": STRING}),
}

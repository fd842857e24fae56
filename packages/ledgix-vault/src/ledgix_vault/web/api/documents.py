"""Documents that policies rest on: upload, paste, look, search, and import from Confluence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.documents.confluence import ConfluenceAccess
from ledgix_vault.documents.limits import LARGEST_FILE
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.add_document import add_document
from ledgix_vault.operations.connect_confluence import confluence_connection, connect_confluence
from ledgix_vault.operations.import_from_confluence import import_from_confluence
from ledgix_vault.operations.read_documents import (
    list_documents,
    read_chunks,
    read_document,
    read_original,
    read_text,
)
from ledgix_vault.operations.remove_document import remove_document
from ledgix_vault.operations.search_documents import Question, search_documents
from ledgix_vault.operations.steps.documents import Incoming
from ledgix_vault.sources.document import Chunk, DocumentVersion, MediaKind, Origin
from ledgix_vault.store.search import Found
from ledgix_vault.times import rfc3339
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import DOCUMENT_BODY, answers, body
from ledgix_vault.web.doors import Knock, knock

router = APIRouter(tags=["Documents"])
LARGEST_PASTE = 2 * 1024 * 1024
BY_ENDING = {
    ".pdf": MediaKind.PDF,
    ".docx": MediaKind.DOCX,
    ".htm": MediaKind.HTML,
    ".html": MediaKind.HTML,
    ".md": MediaKind.MARKDOWN,
    ".markdown": MediaKind.MARKDOWN,
    ".txt": MediaKind.TEXT,
    ".json": MediaKind.JSON,
    ".csv": MediaKind.CSV,
}
_PASTED = {"text": MediaKind.TEXT, "markdown": MediaKind.MARKDOWN, "html": MediaKind.HTML}


class OriginalBytes(Response):
    """A file, whatever it is; no browser shows it."""

    media_type = "application/octet-stream"


async def a_document_at_the_door(request: Request, vault: TheVault) -> AsyncIterator[Knock]:
    """The caller with the document's bytes, of which only a few may be in memory at once."""
    with vault.documents.admitted():
        limit = LARGEST_FILE if request.query_params.get("name") else LARGEST_PASTE
        yield await knock(request, vault, limit)


@router.post("/documents", **answers("Document", 422), openapi_extra=DOCUMENT_BODY)
async def post_document(
    request: Request,
    vault: TheVault,
    asked: Annotated[Knock, Depends(a_document_at_the_door)],
    name: str = "",
    document_id: str = "",
) -> Response:
    """Add a document, or the next version of one (with its `document_id`).

    With `name` the body is the file itself, up to 20 MB; its type is told by the name's ending, else by `Content-Type`.
    Without, the body is JSON with `name` and `text`. PDF, DOCX, HTML, Markdown, text, JSON and CSV are read. What a
    person should look at comes back in `findings`; what can't be read is refused, and nothing of it is kept.
    """
    incoming = (
        Incoming(
            document_id or None, name, kind_of(name, request.headers.get("content-type", "")), Origin.UPLOAD, asked.body
        )
        if name
        else _pasted(asked.json(), document_id)
    )
    version, replayed = await add_document(vault, asked.caller, incoming, asked.key)
    return exact_json(_version(version), replayed=replayed)


@router.get("/documents", **answers("DocumentList"))
async def get_documents(vault: TheVault, caller: Caller, limit: int = 100, after: str = "") -> Response:
    """The newest version of each document, by document id. `after` is the last id of the page before."""
    found = await list_documents(vault, caller, after=after, limit=limit)
    documents: list[Json] = [_version(version) for version in found]
    return exact_json({"documents": documents})


@router.get("/documents/search", **answers("ClauseList", 404))
async def get_search(
    vault: TheVault,
    caller: Caller,
    q: str = "",
    tool: str = "",
    policy_id: str = "",
    covering: bool = False,
    limit: int = 5,
) -> Response:
    """Find the clauses that a question (`q`) or a tool is about; the words of both are looked for.

    With `policy_id`, only in that policy's documents; with `covering`, only in those of policies that cover `tool`.
    """
    question = Question(text=q, tool_name=tool, policy_id=policy_id, by_tool=covering)
    found = await search_documents(vault, caller, question, limit=limit)
    clauses: list[Json] = [_clause(clause) for clause in found]
    return exact_json({"clauses": clauses})


@router.post(
    "/documents/confluence",
    **answers("DocumentList", 404, 409, 422),
    openapi_extra=body("ConfluenceImport", idempotent=False),
)
async def post_confluence(vault: TheVault, asked: AKnock) -> Response:
    """Import one page by its id, or all pages of a space (at most 200). Importing again makes the next version of what
    changed, and nothing of what didn't."""
    content = asked.json()
    versions = await import_from_confluence(
        vault, asked.caller, page_id=_optional(content, "page_id"), space_key=_optional(content, "space_key")
    )
    documents: list[Json] = [_version(version) for version in versions]
    return exact_json({"documents": documents})


@router.get("/documents/{document_id}", **answers("DocumentVersions", 404))
async def get_document(document_id: str, vault: TheVault, caller: Caller) -> Response:
    """All versions of a document, newest first."""
    versions: list[Json] = [_version(version) for version in await read_document(vault, caller, document_id)]
    return exact_json({"versions": versions})


@router.delete("/documents/{document_id}", **answers("DocumentRemoved", 404, 409))
async def delete_document(document_id: str, vault: TheVault, caller: Caller) -> Response:
    """Remove a document with all its versions, unless an active policy rests on it."""
    removed = await remove_document(vault, caller, document_id)
    return exact_json({"document_id": document_id, "removed_versions": removed})


@router.get("/documents/{document_id}/versions/{version}", **answers("DocumentChunks", 404))
async def get_version(document_id: str, version: int, vault: TheVault, caller: Caller) -> Response:
    """A version with its chunks: page, heading path, and the range of characters in its text."""
    about, chunks = await read_chunks(vault, caller, document_id, version)
    listed: list[Json] = [_chunk(stored.ordinal, stored.chunk, stored.text) for stored in chunks]
    return exact_json(_version(about) | {"chunks": listed})


@router.get("/documents/{document_id}/versions/{version}/text", **answers("DocumentText", 404))
async def get_text(document_id: str, version: int, vault: TheVault, caller: Caller) -> Response:
    """A version's text; quotes and chunks are ranges of its characters."""
    about, text = await read_text(vault, caller, document_id, version)
    return exact_json({"document_version_id": about.document_version_id, "text_sha256": about.text_hash, "text": text})


@router.get(
    "/documents/{document_id}/versions/{version}/original",
    response_class=OriginalBytes,
    **answers("OriginalBytes", 404, binary=True),
)
async def get_original(document_id: str, version: int, vault: TheVault, caller: Caller) -> Response:
    """A version's bytes as they came."""
    _, original = await read_original(vault, caller, document_id, version)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": "attachment",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return OriginalBytes(original, headers=headers)


@router.get("/confluence-settings", **answers("ConfluenceSettings", 404))
async def get_confluence_settings(vault: TheVault, caller: Caller) -> Response:
    """Where the tenant's Confluence is; the token never comes back."""
    base_url, email = await confluence_connection(vault, caller)
    return exact_json({"base_url": base_url, "email": email})


@router.put(
    "/confluence-settings",
    **answers("ConfluenceSettings", 422),
    openapi_extra=body("ConfluenceConnection", idempotent=False),
)
async def put_confluence_settings(vault: TheVault, asked: AKnock) -> Response:
    """Set the address, the user's email and the API token with which pages are fetched."""
    content = asked.json()
    access = ConfluenceAccess(_required(content, "base_url"), _required(content, "email"), _required(content, "token"))
    await connect_confluence(vault, asked.caller, access)
    return exact_json({"base_url": access.base_url, "email": access.email})


def kind_of(name: str, content_type: str) -> MediaKind:
    """What a file is: by the ending of its name, else by what its sender says; raises `Invalid`."""
    known = BY_ENDING.get(PurePath(name).suffix.lower())
    if known is not None:
        return known
    stated = content_type.partition(";")[0].strip().lower()
    for kind in BY_ENDING.values():
        if stated == kind:
            return kind
    raise Invalid(
        f"must end in one of {', '.join(BY_ENDING)}, or Content-Type must say what it is",
        path="name",
        code="document_type_unknown",
    )


def _pasted(content: JsonObject, document_id: str) -> Incoming:
    text, form = _required(content, "text"), _optional(content, "format") or "text"
    if form not in _PASTED:
        raise Invalid(f"must be one of {', '.join(_PASTED)}", path="$.format")
    name, kept = _required(content, "name"), _optional(content, "document_id") or document_id
    return Incoming(kept or None, name, _PASTED[form], Origin.PASTE, text.encode("utf-8", "replace"))


def _required(content: JsonObject, name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise Invalid("is required: a string", path=f"$.{name}")
    return value


def _optional(content: JsonObject, name: str) -> str | None:
    value = content.get(name)
    if value is not None and not isinstance(value, str):
        raise Invalid("must be a string", path=f"$.{name}")
    return value


def _version(version: DocumentVersion) -> JsonObject:
    return version.facts() | {
        "chunks": version.chunks,
        "original_size": version.original_size,
        "text_length": version.text_length,
        "newest": version.newest,
        "added_at": rfc3339(version.added_at),
        "added_by": version.added_by,
    }


def _chunk(ordinal: int, chunk: Chunk, text: str) -> JsonObject:
    return {"chunk": ordinal, **chunk.to_json(), "text": text}


def _clause(found: Found) -> JsonObject:
    return {
        "document_id": found.document_id,
        "document_version_id": found.document_version_id,
        "version": found.version,
        "name": found.name,
        "text_sha256": found.text_hash,
        **_chunk(found.ordinal, found.chunk, found.text),
    }

"""Documents: upload and paste, read and search, import from Confluence, and choose sentences for a policy."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from ledgix_vault.documents.confluence import ConfluenceAccess
from ledgix_vault.documents.limits import LARGEST_FILE
from ledgix_vault.errors import CallerError, Invalid, NotFound, VaultError
from ledgix_vault.operations.add_document import add_document
from ledgix_vault.operations.connect_confluence import confluence_connection, connect_confluence
from ledgix_vault.operations.import_from_confluence import import_from_confluence
from ledgix_vault.operations.read_documents import list_documents, read_chunks, read_document, read_original
from ledgix_vault.operations.remove_document import remove_document
from ledgix_vault.operations.search_documents import LONGEST_QUESTION, search_documents
from ledgix_vault.operations.search_documents import Question as Sought
from ledgix_vault.operations.steps.documents import Incoming
from ledgix_vault.operations.understand_sentences import Question, understand_sentences
from ledgix_vault.policy.english import Understanding
from ledgix_vault.sources.document import DocumentVersion, MediaKind, Origin
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault
from ledgix_vault.web.api.documents import BY_ENDING, LARGEST_PASTE, OriginalBytes, kind_of
from ledgix_vault.web.dashboard.frame import Form, SignedIn, TheForm, TheVault, flaws_of, redirect, render
from ledgix_vault.web.dashboard.security import CONTENT_SECURITY_POLICY
from ledgix_vault.web.dashboard.shown.clauses import PART, part_of, shown_chunks
from ledgix_vault.web.dashboard.shown.draft_form import DraftForm
from ledgix_vault.web.dashboard.shown.links import document_href, policy_href
from ledgix_vault.web.dashboard.shown.names import names_for

router = APIRouter()
HERE = "/app/documents"
AT_ONCE = 50
FOUND = 10
KINDS = {
    MediaKind.PDF: "PDF",
    MediaKind.DOCX: "Word",
    MediaKind.HTML: "HTML",
    MediaKind.MARKDOWN: "Markdown",
    MediaKind.TEXT: "text",
    MediaKind.JSON: "JSON",
    MediaKind.CSV: "CSV",
    MediaKind.CONFLUENCE: "Confluence page",
}
FORMATS = {"text": MediaKind.TEXT, "markdown": MediaKind.MARKDOWN, "html": MediaKind.HTML}
SANDBOXED = f"{CONTENT_SECURITY_POLICY}; sandbox"
ANumber = Annotated[int, Query(ge=1, le=2**31 - 1)]


@router.get("/documents")
async def get_documents(request: Request, vault: TheVault, member: SignedIn, q: str = "", after: str = "") -> Response:
    """The list, what a search finds, and how documents come in."""
    return await _list(request, vault, member, q=q[:LONGEST_QUESTION].strip(), after=after)


@router.post("/documents")
async def post_document(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """An uploaded file, or pasted text; with `document_id` the next version of a document."""
    member.require(Scope.POLICY)
    document_id = form.text("document_id") or None
    if document_id is not None:
        await read_document(vault, member, document_id)
    try:
        with vault.documents.admitted():
            incoming = await _incoming(form, document_id)
            version, _ = await add_document(vault, member, incoming, None)
    except Invalid as error:
        flaws = {"file" if incoming_is_file(form) else "text": error.detail} | flaws_of(error)
        return await _list(request, vault, member, flaws=flaws, form=form)
    said = f"{version.name} was read" + (f": {len(version.findings)} things to look at." if version.findings else ".")
    return redirect(document_href(version.document_id), said=said)


@router.post("/documents/confluence")
async def post_confluence(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """One page, or the pages of a space."""
    page_id, space_key = form.text("page_id") or None, form.text("space_key") or None
    try:
        versions = await import_from_confluence(vault, member, page_id=page_id, space_key=space_key)
    except (CallerError, VaultError) as error:
        return await _list(request, vault, member, flaws={"confluence": error.detail}, form=form)
    only = versions[0]
    to = document_href(only.document_id) if len(versions) == 1 else HERE
    return redirect(to, said=f"{len(versions)} page{'' if len(versions) == 1 else 's'} imported.")


@router.post("/documents/confluence/connection")
async def post_connection(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Where the Confluence is, and as whom it is asked."""
    access = ConfluenceAccess(form.text("base_url"), form.text("email"), form.text("token"))
    try:
        await connect_confluence(vault, member, access)
    except Invalid as error:
        return await _list(request, vault, member, flaws=flaws_of(error), form=form)
    return redirect(HERE, said="Confluence is connected. The token is sealed and never shown.")


@router.get("/documents/{document_id}")
async def get_document(
    document_id: str,
    request: Request,
    vault: TheVault,
    member: SignedIn,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
    part: ANumber = 1,
    tools: str = "",
) -> Response:
    """A version: what was noticed, and its text sentence by sentence."""
    return await _document(request, vault, member, document_id, version, part=part, tools=tools)


@router.post("/documents/{document_id}")
async def post_part(
    document_id: str,
    request: Request,
    vault: TheVault,
    member: SignedIn,
    form: TheForm,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    """Another part of a long document, with what was chosen so far."""
    await read_document(vault, member, document_id)
    return await _document(
        request,
        vault,
        member,
        document_id,
        version,
        part=form.number("part", 1, 2**31 - 1),
        tools=form.text("tools"),
        chosen=tuple(dict.fromkeys(form.texts("sentence"))),
    )


@router.get("/documents/{document_id}/versions/{document_version}/original")
async def get_original(
    document_id: str, document_version: Annotated[int, Path(ge=1, le=2**31 - 1)], vault: TheVault, member: SignedIn
) -> Response:
    """The file as it came; no browser shows it."""
    about, original = await read_original(vault, member, document_id, document_version)
    name = f"attachment; filename*=UTF-8''{quote(about.name, safe='')}"
    return OriginalBytes(original, headers={"Content-Disposition": name, "Content-Security-Policy": SANDBOXED})


@router.post("/documents/{document_id}/remove")
async def post_removal(document_id: str, vault: TheVault, member: SignedIn) -> Response:
    """Takes away all its versions."""
    removed = await remove_document(vault, member, document_id)
    return redirect(HERE, said=f"The document is gone, with {removed} version{'' if removed == 1 else 's'}.")


async def _incoming(form: Form, document_id: str | None) -> Incoming:
    if not incoming_is_file(form):
        text = form.raw("text").replace("\r\n", "\n")
        if not text.strip():
            raise Invalid("Choose a file, or paste some text.", path="file")
        content = text.encode("utf-8", "replace")
        if len(content) > LARGEST_PASTE:
            raise Invalid(f"Pasted text has at most {LARGEST_PASTE // 1024 // 1024} MB; upload it as a file.", "text")
        kind = FORMATS.get(form.text("format"), MediaKind.TEXT)
        return Incoming(document_id, form.text("name"), kind, Origin.PASTE, content)
    file = await form.file("file")
    if file is None:
        raise Invalid("Choose a file.", path="file")
    if len(file.content) > LARGEST_FILE:
        raise Invalid(f"A file has at most {LARGEST_FILE // 1024 // 1024} MB.", path="file")
    try:
        kind = kind_of(file.name, "")
    except Invalid as error:
        endings = ", ".join(ending.removeprefix(".").upper() for ending in BY_ENDING)
        raise Invalid(f"This kind of file isn’t read. These are: {endings}.", path="file") from error
    return Incoming(document_id, file.name, kind, Origin.UPLOAD, file.content)


def incoming_is_file(form: Form) -> bool:
    """Whether the form that was sent is the one with a file."""
    return form.flag("file")


async def _list(
    request: Request,
    vault: Vault,
    member: Member,
    *,
    q: str = "",
    after: str = "",
    flaws: Mapping[str, str] | None = None,
    form: Form | None = None,
) -> Response:
    documents = await list_documents(vault, member, after=after, limit=AT_ONCE + 1)
    names = await names_for(vault, member)
    found = await search_documents(vault, member, Sought(text=q), limit=FOUND) if q else []
    more = f"{HERE}?{urlencode({'after': documents[AT_ONCE - 1].document_id})}" if len(documents) > AT_ONCE else ""
    return render(
        request,
        "documents.html",
        member=member,
        title="Documents",
        status=422 if flaws else 200,
        documents=documents[:AT_ONCE],
        names=names,
        next_href=more,
        q=q,
        found=found,
        flaws=flaws or {},
        typed=_typed(form),
        confluence=await _connection(vault, member),
        may_connect=member.allows(Scope.SETTINGS),
        kinds=KINDS,
        accepted=",".join(BY_ENDING),
        document_href=document_href,
        part_of=part_of,
    )


def _typed(form: Form | None) -> dict[str, str]:
    names = ("name", "text", "format", "page_id", "space_key", "base_url", "email")
    return {name: "" if form is None else form.text(name) for name in names}


async def _connection(vault: Vault, member: Member) -> tuple[str, str] | None:
    """The Confluence that is set, where the person may know."""
    if not member.allows(Scope.SETTINGS):
        return None
    try:
        return await confluence_connection(vault, member)
    except NotFound:
        return None


async def _document(
    request: Request,
    vault: Vault,
    member: Member,
    document_id: str,
    number: int | None,
    *,
    part: int,
    tools: str,
    chosen: Sequence[str] = (),
) -> Response:
    versions = await read_document(vault, member, document_id)
    version, chunks = await read_chunks(vault, member, document_id, number or versions[0].version)
    here = chunks[(part - 1) * PART : part * PART]
    patterns = DraftForm(tools=tools).patterns

    def understand(sentences: Sequence[str]) -> list[Understanding]:
        return understand_sentences(vault, member, Question(tuple(sentences), patterns, {}))

    shown = await asyncio.to_thread(shown_chunks, here, understand)
    on_this_part = {clause.text for chunk in shown for clause in chunk.clauses}
    return render(
        request,
        "document.html",
        member=member,
        title=version.name,
        versions=versions,
        version=version,
        names=await names_for(vault, member),
        chunks=shown,
        part=part,
        parts=max(1, -(-len(chunks) // PART)),
        tools=tools,
        chosen=set(chosen),
        carried=[text for text in chosen if text not in on_this_part],
        understood=sum(clause.is_understood for chunk in shown for clause in chunk.clauses),
        resting=_resting(vault, member, version),
        kinds=KINDS,
        document_href=document_href,
        policy_href=policy_href,
    )


def _resting(vault: Vault, member: Member, version: DocumentVersion) -> list[str]:
    """The policies in force that rest on the document."""
    policies = vault.store.tenant(member.tenant_id).snapshot.policies
    return [
        active.document.policy_id
        for active in policies
        if any(source.document_id == version.document_id for source in active.document.sources)
    ]

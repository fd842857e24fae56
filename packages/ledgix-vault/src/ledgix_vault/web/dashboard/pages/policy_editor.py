"""Writing a policy: what the Vault understands is shown before anything is stored; then it is kept as a draft."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ledgix_vault.errors import Invalid, NotFound
from ledgix_vault.operations.check_policy_draft import CheckedDraft, check_policy_draft
from ledgix_vault.operations.draft_policy_version import draft_policy_version
from ledgix_vault.operations.read_documents import read_document
from ledgix_vault.operations.read_policies import read_policy, read_version
from ledgix_vault.policy.versions import PolicyVersion
from ledgix_vault.sources.document import DocumentVersion
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault
from ledgix_vault.web.api.policy_versions import LARGEST_NUMBER, PolicyId
from ledgix_vault.web.dashboard.frame import Form, SignedIn, TheForm, TheVault, flaws_of, redirect, render
from ledgix_vault.web.dashboard.shown.clauses import policy_name
from ledgix_vault.web.dashboard.shown.draft_form import (
    DraftForm,
    form_of_starter,
    form_of_version,
    read_form,
    source_ref,
)
from ledgix_vault.web.dashboard.shown.links import document_href, policy_href, version_href
from ledgix_vault.web.dashboard.shown.rules import shown_policy
from ledgix_vault.web.dashboard.shown.starters import starter_named, starters

router = APIRouter()
NEW = "/app/policies-new"


@router.get("/policies-new")
async def get_new(request: Request, vault: TheVault, member: SignedIn, starter: str = "") -> Response:
    """An empty form, or a starter to change."""
    member.require(Scope.POLICY)
    chosen = starter_named(starter)
    if starter and chosen is None:
        raise NotFound("There is no such starter.")
    return await _page(request, vault, member, DraftForm() if chosen is None else form_of_starter(chosen))


@router.post("/policies-new")
async def post_new(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Sentences out of a document (`do=open`), a check, or a draft to keep."""
    return await _act(request, vault, member, form, None)


@router.get("/policies/{policy_id}/edit")
async def get_edit(
    policy_id: PolicyId,
    request: Request,
    vault: TheVault,
    member: SignedIn,
    version: Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)] = None,
) -> Response:
    """The next version of a policy, beginning from one of its versions."""
    member.require(Scope.POLICY)
    if version is None:
        summary = await read_policy(vault, member, policy_id)
        base = summary.newest
    else:
        base = await read_version(vault, member, policy_id, version)
    documents = await _documents_of(vault, member, base)
    return await _page(request, vault, member, form_of_version(base, documents), policy_id=policy_id, base=base)


@router.post("/policies/{policy_id}/edit")
async def post_edit(
    policy_id: PolicyId, request: Request, vault: TheVault, member: SignedIn, form: TheForm
) -> Response:
    """A check, or the next draft of a policy."""
    await read_policy(vault, member, policy_id)
    return await _act(request, vault, member, form, policy_id)


async def _act(request: Request, vault: Vault, member: Member, form: Form, policy_id: str | None) -> Response:
    member.require(Scope.POLICY)
    draft = read_form(form, policy_id)
    if form.flag("use"):
        draft = await _with_suggestion(vault, member, draft, form.text("use"))
    if form.text("do") == "open":
        return await _page(request, vault, member, await _named_after_document(vault, member, draft))
    try:
        checked = await check_policy_draft(vault, member, draft.registration())
        if form.text("do") != "save":
            return await _page(request, vault, member, draft, policy_id=policy_id, checked=checked)
        if policy_id is None:
            await _refuse_taken(vault, member, draft.policy_id)
        kept, _ = await draft_policy_version(vault, member, draft.registration(), None)
    except Invalid as error:
        return await _page(request, vault, member, draft, policy_id=policy_id, error=error)
    said = f"Version {kept.version} is kept as a draft. Read what was understood, then confirm it."
    return redirect(version_href(kept.policy_id, kept.version), said=said)


async def _named_after_document(vault: Vault, member: Member, draft: DraftForm) -> DraftForm:
    """The draft with a name and a description out of the document that it rests on."""
    names = [name for _, name, _ in await _source_names(vault, member, draft)]
    if draft.policy_id or not names:
        return draft
    return replace(draft, policy_id=policy_name(names[0]), description=f"From {names[0]}")


async def _refuse_taken(vault: Vault, member: Member, policy_id: str) -> None:
    """Raises `Invalid` where a new policy would be the next version of another."""
    try:
        await read_policy(vault, member, policy_id)
    except NotFound:
        return
    raise Invalid("There is a policy with this name already; open it to write its next version.", path="policy_id")


async def _with_suggestion(vault: Vault, member: Member, draft: DraftForm, use: str) -> DraftForm:
    """The form with a sentence replaced by one that the Vault offered: "3:0" is the first for the fourth sentence."""
    number, _, choice = use.partition(":")
    if not (number.isdecimal() and choice.isdecimal() and len(use) < 10):
        return draft
    try:
        checked = await check_policy_draft(vault, member, draft.registration())
    except Invalid:
        return draft
    offered = checked.understandings[int(number)].did_you_mean if int(number) < len(checked.understandings) else ()
    return draft.replaced(int(number), offered[int(choice)]) if int(choice) < len(offered) else draft


async def _documents_of(vault: Vault, member: Member, version: PolicyVersion) -> list[DocumentVersion]:
    found: list[DocumentVersion] = []
    for source in version.document.sources:
        try:
            found.extend(await read_document(vault, member, source.document_id))
        except NotFound:  # removed since
            continue
    return found


async def _source_names(vault: Vault, member: Member, draft: DraftForm) -> list[tuple[str, str, str]]:
    """("id@version", name, address) of each document that the draft rests on."""
    found = []
    for text in draft.sources:
        try:
            ref = source_ref(text)
            versions = await read_document(vault, member, ref.document_id)
        except (Invalid, NotFound):
            continue
        named = next((each for each in versions if each.version == ref.version), versions[0])
        found.append((text, named.name, document_href(ref.document_id, version=named.version)))
    return found


async def _page(
    request: Request,
    vault: Vault,
    member: Member,
    draft: DraftForm,
    *,
    policy_id: str | None = None,
    base: PolicyVersion | None = None,
    checked: CheckedDraft | None = None,
    error: Invalid | None = None,
) -> Response:
    schemas = vault.store.tenant(member.tenant_id).snapshot.schemas
    shown = None if checked is None else shown_policy(checked.document, checked.understandings, schemas)
    flaws = {} if error is None or error.problems else flaws_of(error)
    return render(
        request,
        "policy_editor.html",
        member=member,
        title="New policy" if policy_id is None else f"{policy_id}: next version",
        status=200 if error is None else 422,
        draft=draft,
        policy_id=policy_id,
        base=base,
        action=NEW if policy_id is None else policy_href(policy_id, "edit"),
        sources=await _source_names(vault, member, draft),
        shown=shown,
        document=None if checked is None else checked.document,
        flaws=flaws,
        problems=() if error is None else error.problems,
        tool_names=sorted(schemas),
        starters=starters() if policy_id is None and not draft.says_something else (),
        policy_href=policy_href,
    )

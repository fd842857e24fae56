"""The library, a policy's history, the difference of two versions, and what becomes of a version.

Whoever reads the full ledger reads them too; what changes something is shown to who may write policies."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Annotated, TypeAlias

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from ledgix_vault.errors import Invalid
from ledgix_vault.operations.activate_policy_version import activate_policy_version
from ledgix_vault.operations.compare_policy_versions import compare_policy_versions
from ledgix_vault.operations.confirm_policy_version import Marks, confirm_policy_version
from ledgix_vault.operations.read_policies import (
    PolicySummary,
    read_policy,
    read_policy_list,
    read_version,
    read_versions,
)
from ledgix_vault.operations.retire_policy_version import retire_policy_version
from ledgix_vault.operations.roll_back_policy import roll_back_policy
from ledgix_vault.operations.shadow_policy_version import shadow_policy_version
from ledgix_vault.operations.understand_sentences import understand_document
from ledgix_vault.policy.versions import PolicyVersion, VersionState, confirmation_hash
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault
from ledgix_vault.web.api.policy_versions import LARGEST_NUMBER, PolicyId
from ledgix_vault.web.dashboard.frame import SignedIn, TheForm, TheVault, redirect, render
from ledgix_vault.web.dashboard.shown.changes import shown_changes
from ledgix_vault.web.dashboard.shown.links import document_href, policy_href, version_href
from ledgix_vault.web.dashboard.shown.names import names_for
from ledgix_vault.web.dashboard.shown.rules import ShownPolicy, shown_policy
from ledgix_vault.web.dashboard.shown.starters import starters
from ledgix_vault.web.dashboard.shown.states import row_of, tools_in_words, turn_of

router = APIRouter()
VERSIONS_SHOWN = 100
Number: TypeAlias = Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]


@router.get("/policies")
async def get_policies(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """All policies, a row for each; for an empty tenant the starters."""
    found = await read_policy_list(vault, member)
    names = await names_for(vault, member)
    rows = [row_of(summary, names) for summary in found]
    return render(
        request,
        "policies.html",
        member=member,
        title="Policies",
        may_write=member.allows(Scope.POLICY),
        rows=rows,
        starters=starters(),
        policy_href=policy_href,
    )


@router.get("/policies/{policy_id}")
async def get_policy(policy_id: PolicyId, request: Request, vault: TheVault, member: SignedIn) -> Response:
    """What is in force, what waits, and every version."""
    summary = await read_policy(vault, member, policy_id)
    versions = await read_versions(vault, member, policy_id, limit=VERSIONS_SHOWN, before=None)
    names = await names_for(vault, member)
    in_force = None if summary.active is None else await _shown(vault, member, summary.active)
    return render(
        request,
        "policy.html",
        member=member,
        title=policy_id,
        may_write=member.allows(Scope.POLICY),
        policy_id=policy_id,
        summary=summary,
        row=row_of(summary, names),
        versions=versions,
        in_force=in_force,
        names=names,
        back_to=_before_active(summary, versions),
        policy_href=policy_href,
        version_href=version_href,
        document_href=document_href,
    )


@router.get("/policies/{policy_id}/versions/{version}")
async def get_version(
    policy_id: PolicyId, version: Number, request: Request, vault: TheVault, member: SignedIn
) -> Response:
    """One version, sentence by sentence, and what can be done with it."""
    return await _version_page(request, vault, member, policy_id, version)


@router.post("/policies/{policy_id}/versions/{version}/confirm")
async def post_confirmation(
    policy_id: PolicyId, version: Number, request: Request, vault: TheVault, member: SignedIn, form: TheForm
) -> Response:
    """Somebody read the version and says that it is what was meant; marks make the next version."""
    member.require(Scope.POLICY)
    if not form.flag("read"):
        error = "Say that you have read what the Vault understood: tick the box, then confirm."
        return await _version_page(request, vault, member, policy_id, version, error=error)
    read = await read_version(vault, member, policy_id, version)
    marked = [text for i, text in enumerate(read.document.uncompiled) if str(i) in form.texts("set_aside")]
    marks = Marks(tuple(marked), tuple(form.texts("settle")))
    confirmed, _ = await confirm_policy_version(vault, member, policy_id, version, marks, None)
    said = f"Version {confirmed.version} is confirmed. Nothing is decided by it yet."
    return redirect(version_href(policy_id, confirmed.version), said=said)


@router.post("/policies/{policy_id}/versions/{version}/activate")
async def post_activation(policy_id: PolicyId, version: Number, vault: TheVault, member: SignedIn) -> Response:
    """Puts a confirmed version in force."""
    active, _ = await activate_policy_version(vault, member, policy_id, version, None)
    return redirect(policy_href(policy_id), said=f"Version {active.version} is in force.")


@router.post("/policies/{policy_id}/versions/{version}/shadow")
async def post_shadow(policy_id: PolicyId, version: Number, vault: TheVault, member: SignedIn) -> Response:
    """Evaluates a confirmed version beside the active one."""
    shadow, _ = await shadow_policy_version(vault, member, policy_id, version, None)
    said = f"Version {shadow.version} is compared with every decision from now on, and decides nothing."
    return redirect(policy_href(policy_id, "shadow"), said=said)


@router.post("/policies/{policy_id}/versions/{version}/retire")
async def post_retirement(policy_id: PolicyId, version: Number, vault: TheVault, member: SignedIn) -> Response:
    """Takes a version out of use."""
    retired, _ = await retire_policy_version(vault, member, policy_id, version, None)
    return redirect(policy_href(policy_id), said=f"Version {retired.version} is out of use.")


@router.post("/policies/{policy_id}/rollback")
async def post_rollback(policy_id: PolicyId, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Goes back to a version that was in force before."""
    await read_policy(vault, member, policy_id)
    named = form.text("version")
    if named and not (named.isascii() and named.isdigit() and 1 <= int(named) <= LARGEST_NUMBER):
        raise Invalid("must be the number of a version", path="version")
    active, _ = await roll_back_policy(vault, member, policy_id, int(named) if named else None, None)
    return redirect(policy_href(policy_id), said=f"Version {active.version} is in force again.")


@router.get("/policies/{policy_id}/diff")
async def get_difference(
    policy_id: PolicyId,
    request: Request,
    vault: TheVault,
    member: SignedIn,
    from_: Annotated[int | None, Query(alias="from", ge=1, le=LARGEST_NUMBER)] = None,
    to: Annotated[int | None, Query(ge=1, le=LARGEST_NUMBER)] = None,
) -> Response:
    """What one version changes of another, in words; unless they are named, the newest of the one before."""
    versions = await read_versions(vault, member, policy_id, limit=VERSIONS_SHOWN, before=None)
    new = to or versions[0].version
    before, after, _ = await compare_policy_versions(vault, member, policy_id, from_ or max(1, new - 1), new)
    changes, only_wording = shown_changes(before.document, after.document)
    return render(
        request,
        "policy_diff.html",
        member=member,
        title=f"{policy_id}: what changed",
        policy_id=policy_id,
        before=before,
        after=after,
        versions=versions,
        changes=changes,
        only_wording=only_wording,
        policy_href=policy_href,
        version_href=version_href,
    )


async def _version_page(
    request: Request, vault: Vault, member: Member, policy_id: str, number: int, *, error: str = ""
) -> Response:
    version = await read_version(vault, member, policy_id, number)
    summary = await read_policy(vault, member, policy_id)
    state = vault.store.tenant(member.tenant_id)
    names = await names_for(vault, member)
    is_active = version.state is VersionState.ACTIVE
    base = None if is_active or summary.active is None else summary.active
    changes = None if base is None else shown_changes(base.document, version.document)[0]
    return render(
        request,
        "policy_version.html",
        member=member,
        title=f"{policy_id}, version {number}",
        status=422 if error else 200,
        may_write=member.allows(Scope.POLICY),
        policy_id=policy_id,
        version=version,
        document=version.document,
        shown=await _shown(vault, member, version),
        summary=summary,
        names=names,
        turn=turn_of(version, member, state.settings, names),
        is_outdated=version.confirmation_hash is not None
        and version.confirmation_hash != confirmation_hash(version.document, state.snapshot.schemas),
        tools=tools_in_words(version.document.tools),
        changes=changes,
        error=error,
        policy_href=policy_href,
        version_href=version_href,
        document_href=document_href,
    )


async def _shown(vault: Vault, member: Member, version: PolicyVersion) -> ShownPolicy:
    """The version sentence by sentence, against the tool schemas of now."""
    found = await asyncio.to_thread(understand_document, vault, member, version.document)
    schemas = vault.store.tenant(member.tenant_id).snapshot.schemas
    return await asyncio.to_thread(shown_policy, version.document, found, schemas)


def _before_active(summary: PolicySummary, versions: Iterable[PolicyVersion]) -> PolicyVersion | None:
    """The version that going back would put in force."""
    replaced = None if summary.active is None else summary.active.replaced
    return next((version for version in versions if version.version_id == replaced), None)

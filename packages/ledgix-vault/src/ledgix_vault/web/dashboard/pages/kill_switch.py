"""The kill switch: what is stopped, stopping, releasing, and what was stopped before."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import Conflict, Invalid
from ledgix_vault.operations.read_names import read_names
from ledgix_vault.operations.suspend import release, suspend
from ledgix_vault.store.suspensions import list_released
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.tenancy.suspensions import SuspensionKind
from ledgix_vault.web.dashboard.frame import SignedIn, TheForm, TheVault, flaws_of, redirect, render

router = APIRouter()
HERE = "/app/settings/kill-switch"
MOST_SHOWN = 50
NOT_SURE = "Tick this, so that nothing is stopped by mistake."


@router.get("/settings/kill-switch")
async def get_kill_switch(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """What is stopped now, and what was."""
    return await _page(request, vault, member, {}, {})


@router.post("/settings/kill-switch")
async def post_suspend(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Stops an agent or a tool after a tick, the whole tenant after its name was typed."""
    member.require(Scope.SETTINGS)
    typed = {name: form.text(name) for name in ("kind", "subject", "reason", "name")}
    try:
        kind = _confirmed_kind(vault.store.tenant(member.tenant_id).name, form)
        subject = "" if kind is SuspensionKind.TENANT else typed["subject"]
        made, _ = await suspend(vault, member.tenant_id, kind, subject, typed["reason"], decider_of(member))
    except Invalid as error:
        return await _page(request, vault, member, flaws_of(error), typed)
    except Conflict as error:
        return await _page(request, vault, member, {"": error.detail}, typed)
    return redirect(HERE, said=f"Stopped: {made.stopped}.")


@router.post("/settings/kill-switch/{suspension_id}/release")
async def post_release(
    suspension_id: str, request: Request, vault: TheVault, member: SignedIn, form: TheForm
) -> Response:
    """Ends a suspension, with a reason."""
    member.require(Scope.SETTINGS)
    try:
        ended, _ = await release(vault, member.tenant_id, suspension_id, form.text("reason"), decider_of(member))
    except Invalid as error:
        return await _page(request, vault, member, {suspension_id: flaws_of(error)["reason"]}, {})
    return redirect(HERE, said=f"Released: {ended.stopped}.")


def _confirmed_kind(tenant_name: str, form: TheForm) -> SuspensionKind:
    wanted = form.text("kind")
    if wanted not in tuple(SuspensionKind):
        raise Invalid("Choose what to stop.", path="kind")
    kind = SuspensionKind(wanted)
    if kind is SuspensionKind.TENANT and form.text("name") != tenant_name:
        raise Invalid(f"Type “{tenant_name}”, so that nothing is stopped by mistake.", path="name")
    if kind is not SuspensionKind.TENANT and not form.flag("sure"):
        raise Invalid(NOT_SURE, path="sure")
    return kind


async def _page(
    request: Request, vault: TheVault, member: SignedIn, flaws: dict[str, str], typed: dict[str, str]
) -> Response:
    member.require(Scope.SETTINGS)
    released = await vault.store.read(partial(list_released, tenant_id=member.tenant_id, limit=MOST_SHOWN))
    for_all = typed.get("kind") == SuspensionKind.TENANT
    return render(
        request,
        "kill_switch.html",
        member=member,
        title="Kill switch",
        status=422 if flaws else 200,
        stopped=vault.store.tenant(member.tenant_id).suspensions,
        released=released,
        most_shown=MOST_SHOWN,
        names=await read_names(vault, member),
        flaws={} if for_all else flaws,
        flaws_for_all=flaws if for_all else {},
        typed={"kind": "agent", "subject": "", "reason": "", "name": "", **typed},
        for_all=for_all,
    )

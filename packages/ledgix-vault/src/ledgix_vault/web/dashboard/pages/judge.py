"""The tenant's judge: which language model reads what no rule can, and what it may do."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.change_judge_settings import change_judge_settings
from ledgix_vault.tenancy.judge_settings import Provider
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.web.dashboard.frame import Form, SignedIn, TheForm, TheVault, flaws_of, redirect, render
from ledgix_vault.write_only import MASK

router = APIRouter()
HERE = "/app/settings/judge"
PROVIDERS = ((Provider.OPENAI, "OpenAI, or a server that speaks its protocol"), (Provider.ANTHROPIC, "Anthropic"))
MAY = (("", "nothing: only policies that say so ask it"), ("lower", "deny, or leave it to a person; never approve"))


@router.get("/settings/judge")
async def get_judge(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """What is set; the stored key is never shown."""
    member.require(Scope.SETTINGS)
    return _page(request, vault, member, vault.store.tenant(member.tenant_id).judge.masked(), {})


@router.post("/settings/judge")
async def post_judge(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Changes it; an empty key keeps the stored one."""
    before = vault.store.tenant(member.tenant_id).judge
    typed = _typed(form)
    try:
        after = await change_judge_settings(vault, member, typed)
    except Invalid as error:
        return _page(request, vault, member, typed, flaws_of(error))
    if after == before:
        return redirect(HERE, said="Nothing was changed.")
    return redirect(HERE, said="The judge is on." if after.enabled else "Saved. The judge is off.")


def _typed(form: Form) -> JsonObject:
    given = form.text("api_key")
    return {
        "enabled": form.flag("enabled"),
        "provider": form.text("provider"),
        "base_url": form.text("base_url"),
        "model": form.text("model"),
        "may": form.text("may") or None,
        "api_key": "" if form.flag("forget_key") else given or MASK,
    }


def _page(request: Request, vault: TheVault, member: SignedIn, typed: Any, flaws: dict[str, str]) -> Response:
    return render(
        request,
        "judge.html",
        member=member,
        title="Judge",
        status=422 if flaws else 200,
        typed=typed,
        has_key=bool(vault.store.tenant(member.tenant_id).judge.sealed_key),
        providers=PROVIDERS,
        may=MAY,
        flaws=flaws,
    )

"""How the tenant's members sign in: its own provider, and whether a second factor is asked for."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.change_review_settings import change_review_settings
from ledgix_vault.operations.change_single_sign_on import change_single_sign_on, read_single_sign_on
from ledgix_vault.operations.single_sign_on import CALLBACK
from ledgix_vault.tenancy.people import Member, Role
from ledgix_vault.tenancy.sign_on import SingleSignOn
from ledgix_vault.web.dashboard.frame import Form, SignedIn, TheForm, TheVault, flaws_of, redirect, render
from ledgix_vault.write_only import MASK

router = APIRouter()
HERE = "/app/settings/single-sign-on"
ROLES = (
    ("", "Nobody: only who is invited"),
    *((str(role), role.replace("_", " ")) for role in Role if role is not Role.OWNER),
)


@router.get("/settings/single-sign-on")
async def get_single_sign_on(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """The provider; its secret isn't shown."""
    found = await read_single_sign_on(vault, member)
    return _page(request, vault, member, _shown(found), has_secret=bool(found.sealed_secret))


@router.post("/settings/single-sign-on")
async def post_single_sign_on(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Changes the provider; an empty secret keeps the one that is stored."""
    found = await read_single_sign_on(vault, member)
    try:
        await change_single_sign_on(vault, member, _changes(form))
    except Invalid as error:
        flaws = {name.partition("[")[0]: message for name, message in flaws_of(error).items()}
        return _page(request, vault, member, _typed(form), has_secret=bool(found.sealed_secret), flaws=flaws)
    return redirect(HERE, said="Single sign-on was saved.")


@router.post("/settings/second-factor")
async def post_second_factor(vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Whether members need a second factor."""
    required = form.flag("require_second_factor")
    await change_review_settings(vault, member, {"require_second_factor": required})
    return redirect(HERE, said="Members need a second factor now." if required else "A second factor is optional now.")


def _changes(form: Form) -> JsonObject:
    typed = _typed(form)
    domains: list[Json] = list(str(typed["allowed_domains"]).replace(",", " ").split())
    secret = "" if form.flag("no_secret") else form.raw("client_secret").strip() or MASK
    return {
        "enabled": form.flag("enabled"),
        "issuer": typed["issuer"],
        "client_id": typed["client_id"],
        "client_secret": secret,
        "allowed_domains": domains,
        "default_role": form.text("default_role") or None,
    }


def _typed(form: Form) -> JsonObject:
    names = ("issuer", "client_id", "allowed_domains", "default_role")
    return {"enabled": form.flag("enabled"), **{name: form.text(name) for name in names}}


def _shown(found: SingleSignOn) -> JsonObject:
    return {
        **found.to_json(),
        "allowed_domains": "\n".join(found.allowed_domains),
        "default_role": str(found.default_role or ""),
    }


def _page(
    request: Request,
    vault: TheVault,
    member: Member,
    values: JsonObject,
    *,
    has_secret: bool,
    flaws: dict[str, str] | None = None,
) -> Response:
    return render(
        request,
        "sign_on_settings.html",
        member=member,
        title="Sign-in",
        status=422 if flaws else 200,
        values=values,
        has_secret=has_secret,
        required=vault.store.tenant(member.tenant_id).settings.require_second_factor,
        back=vault.settings.public_url + CALLBACK,
        roles=ROLES,
        flaws=flaws or {},
    )

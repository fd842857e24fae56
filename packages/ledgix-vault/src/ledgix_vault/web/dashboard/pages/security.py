"""How a person signs in beyond a password: an app that makes codes, passkeys, recovery codes."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import segno
from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import JSONResponse, Response

from ledgix_vault.errors import Busy, Conflict, Invalid, NotFound, Unauthenticated
from ledgix_vault.operations.confirm_session import (
    begin_confirmation,
    confirm_by_code,
    confirm_by_passkey,
    confirm_by_password,
)
from ledgix_vault.operations.manage_factors import (
    Added,
    add_new_passkey,
    begin_new_passkey,
    confirm_app,
    read_app_secret,
    read_factors,
    remove_app,
    remove_own_passkey,
    rename_own_passkey,
    renew_recovery_codes,
    start_app,
)
from ledgix_vault.tenancy.passkeys import Site
from ledgix_vault.tenancy.totp import enrolment_uri
from ledgix_vault.web.dashboard.door import NEEDS_SCRIPT, SECURITY, address_of, lacks_factor, own_path
from ledgix_vault.web.dashboard.frame import SignedInHere, TheForm, TheVault, flaws_of, redirect, render

CONFIRM = f"{SECURITY}/confirm"


router = APIRouter(prefix="/account/security")


@router.get("")
async def get_security(request: Request, vault: TheVault, session: SignedInHere) -> Response:
    """What there is, and what can be added."""
    return await _page(request, vault, session)


@router.post("/app")
async def post_app(vault: TheVault, session: SignedInHere) -> Response:
    """Begins an enrolment."""
    await start_app(vault, session.member, session.session)
    return redirect(f"{SECURITY}/app")


@router.get("/app")
async def get_app(request: Request, vault: TheVault, session: SignedInHere) -> Response:
    """The square code, and a field for the first code."""
    try:
        return await _app_page(request, vault, session, {})
    except NotFound:
        return redirect(SECURITY)


@router.post("/app/confirm")
async def post_app_confirm(request: Request, vault: TheVault, session: SignedInHere, form: TheForm) -> Response:
    """Makes it a factor."""
    try:
        added = await confirm_app(vault, session.member, session.session, form.text("code"))
    except (Invalid, Busy) as error:
        flaws = flaws_of(error) if isinstance(error, Invalid) else {"code": error.detail}
        return await _app_page(request, vault, session, flaws)
    return _after(request, session, added, "Your app was added. From now on a code is asked for when you sign in.")


@router.post("/app/remove")
async def post_app_remove(request: Request, vault: TheVault, session: SignedInHere) -> Response:
    """Forgets the app."""
    try:
        await remove_app(vault, session.member, session.session)
    except Conflict as error:
        return await _page(request, vault, session, message=error.detail)
    return redirect(SECURITY, said="The app was removed.")


@router.post("/codes")
async def post_codes(request: Request, vault: TheVault, session: SignedInHere) -> Response:
    """Ten fresh recovery codes."""
    codes = await renew_recovery_codes(vault, session.member, session.session)
    return _codes_page(request, session, tuple(codes), "Earlier recovery codes are worth nothing now.")


@router.post("/passkeys/options")
async def post_passkey_options(vault: TheVault, session: SignedInHere) -> Response:
    """A challenge for a new passkey, for the page's script."""
    begun = await begin_new_passkey(vault, session.member, session.session)
    return JSONResponse({"ceremony": begun.secret, "options": json.loads(begun.options)})


@router.post("/passkeys")
async def post_passkey(request: Request, vault: TheVault, session: SignedInHere, form: TheForm) -> Response:
    """Stores what the browser made."""
    if not form.raw("credential"):
        return await _page(request, vault, session, message=NEEDS_SCRIPT)
    try:
        added = await add_new_passkey(
            vault,
            session.member,
            session.session,
            form.raw("ceremony"),
            form.raw("credential"),
            form.text("name"),
        )
    except (Invalid, Conflict, Unauthenticated) as error:
        return await _page(request, vault, session, message=error.detail)
    return _after(request, session, added, "The passkey was added.")


@router.post("/passkeys/{credential_id}/rename")
async def post_rename(
    credential_id: str, request: Request, vault: TheVault, session: SignedInHere, form: TheForm
) -> Response:
    """Another name."""
    try:
        await rename_own_passkey(vault, session.member, credential_id, form.text("name"))
    except Invalid as error:
        return await _page(request, vault, session, message=f"The name {error.detail}.")
    return redirect(SECURITY, said="The passkey was renamed.")


@router.post("/passkeys/{credential_id}/remove")
async def post_remove(credential_id: str, request: Request, vault: TheVault, session: SignedInHere) -> Response:
    """Forgets a passkey."""
    try:
        await remove_own_passkey(vault, session.member, session.session, credential_id)
    except Conflict as error:
        return await _page(request, vault, session, message=error.detail)
    return redirect(SECURITY, said="The passkey was removed.")


@router.get("/confirm")
async def get_confirm(request: Request, vault: TheVault, session: SignedInHere, next: str = SECURITY) -> Response:
    """Asks again who it is."""
    return await _confirm_page(request, vault, session, next)


@router.post("/confirm")
async def post_confirm(request: Request, vault: TheVault, session: SignedInHere, form: TheForm) -> Response:
    """A code, or the password of whoever has no second factor."""
    onward, address = own_path(form.raw("next")), address_of(request)
    try:
        if form.text("code"):
            await confirm_by_code(vault, session.member, session.session, form.text("code"), address)
        else:
            await confirm_by_password(vault, session.member, session.session, form.raw("password"), address)
    except (Unauthenticated, Busy) as error:
        status = 429 if isinstance(error, Busy) else 422
        return await _confirm_page(request, vault, session, onward, message=error.detail, status=status)
    return redirect(onward)


@router.post("/confirm/passkey/options")
async def post_confirm_options(vault: TheVault, session: SignedInHere) -> Response:
    """A challenge for the person's own passkeys."""
    begun = await begin_confirmation(vault, session.member)
    return JSONResponse({"ceremony": begun.secret, "options": json.loads(begun.options)})


@router.post("/confirm/passkey")
async def post_confirm_passkey(request: Request, vault: TheVault, session: SignedInHere, form: TheForm) -> Response:
    """A passkey shows who it is."""
    onward = own_path(form.raw("next"))
    if not form.raw("credential"):
        return await _confirm_page(request, vault, session, onward, message=NEEDS_SCRIPT, status=422)
    try:
        await confirm_by_passkey(vault, session.member, session.session, form.raw("ceremony"), form.raw("credential"))
    except Unauthenticated as error:
        return await _confirm_page(request, vault, session, onward, message=error.detail, status=422)
    return redirect(onward)


def confirm_location(request: Request) -> str:
    """The page that asks who it is, and then comes back here if this can be opened."""
    return f"{CONFIRM}?{urlencode({'next': request.scope['path'] if request.method == 'GET' else SECURITY})}"


async def _page(request: Request, vault: TheVault, session: SignedInHere, *, message: str = "") -> Response:
    factors = await read_factors(vault, session.member)
    return render(
        request,
        "security.html",
        member=session.member,
        title="Sign-in and security",
        status=422 if message else 200,
        factors=factors,
        fresh=session.session.is_fresh(vault.clock(), has_factors=factors.exist),
        passkeys=Site.of(vault.settings.public_url).has_passkeys,
        lacks=lacks_factor(vault, session),
        confirm_here=CONFIRM,
        message=message,
    )


async def _app_page(request: Request, vault: TheVault, session: SignedInHere, flaws: dict[str, str]) -> Response:
    secret = await read_app_secret(vault, session.member, session.session)
    square = segno.make(enrolment_uri(secret, session.member.email), error="m", micro=False)
    return render(
        request,
        "security_app.html",
        member=session.member,
        title="Add an app for codes",
        status=422 if flaws else 200,
        # Made by us from a text of ours: its attributes hold numbers alone.
        square=Markup(square.svg_inline(omitsize=True, svgclass="square-code", lineclass=None, light="#fff")),  # noqa: S704
        secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        flaws=flaws,
    )


def _after(request: Request, session: SignedInHere, added: Added, said: str) -> Response:
    return _codes_page(request, session, added.codes, said) if added.codes else redirect(SECURITY, said=said)


def _codes_page(request: Request, session: SignedInHere, codes: tuple[str, ...], done: str) -> Response:
    return render(request, "recovery_codes.html", member=session.member, title="Recovery codes", codes=codes, done=done)


async def _confirm_page(
    request: Request, vault: TheVault, session: SignedInHere, onward: str, *, message: str = "", status: int = 200
) -> Response:
    factors = await read_factors(vault, session.member)
    return render(
        request,
        "confirm_person.html",
        member=session.member,
        title="Show that it is you",
        status=status,
        factors=factors,
        passkeys=bool(factors.passkeys) and Site.of(vault.settings.public_url).has_passkeys,
        onward=own_path(onward),
        message=message,
    )

"""The second step of signing in, and signing in with a passkey alone."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from ledgix_vault.errors import Busy, Unauthenticated
from ledgix_vault.operations.show_second_factor import Asked, read_half_session, show_code
from ledgix_vault.operations.sign_in_with_passkey import begin_passkey_sign_in, begin_passkey_step, sign_in_with_passkey
from ledgix_vault.tenancy.passkeys import Site
from ledgix_vault.web.dashboard.door import (
    HALF,
    NEEDS_SCRIPT,
    SIGN_IN,
    address_of,
    device_of,
    own_path,
    signed_in_answer,
)
from ledgix_vault.web.dashboard.frame import TheForm, TheVault, redirect, render

router = APIRouter()


@router.get("/sign-in/second-factor")
async def get_second_factor(request: Request, vault: TheVault, next: str = "/app/") -> Response:
    """Asks for a second factor whoever gave a right password."""
    asked = await read_half_session(vault, request.cookies.get(HALF, ""))
    if asked is None:
        return redirect(SIGN_IN, said="That took too long. Sign in again.")
    return _page(request, asked, next)


@router.post("/sign-in/second-factor")
async def post_second_factor(request: Request, vault: TheVault, form: TheForm) -> Response:
    """A session for a code of the app or a recovery code."""
    half, onward = request.cookies.get(HALF, ""), own_path(form.raw("next"))
    asked = await read_half_session(vault, half)
    if asked is None:
        return redirect(SIGN_IN, said="That took too long. Sign in again.")
    try:
        secret = await show_code(vault, half, form.text("code"), address_of(request), device_of(request))
    except (Unauthenticated, Busy) as error:
        return _page(request, asked, onward, message=error.detail, status=429 if isinstance(error, Busy) else 422)
    return signed_in_answer(secret, onward)


@router.post("/sign-in/passkey/options")
async def post_passkey_options(request: Request, vault: TheVault) -> Response:
    """A challenge for anybody, for the page's script."""
    begun = await begin_passkey_sign_in(vault, address_of(request))
    return JSONResponse({"ceremony": begun.secret, "options": json.loads(begun.options)})


@router.post("/sign-in/second-factor/options")
async def post_step_options(request: Request, vault: TheVault) -> Response:
    """A challenge for whoever gave a right password."""
    begun = await begin_passkey_step(vault, request.cookies.get(HALF, ""), address_of(request))
    return JSONResponse({"ceremony": begun.secret, "options": json.loads(begun.options)})


@router.post("/sign-in/passkey")
async def post_passkey(request: Request, vault: TheVault, form: TheForm) -> Response:
    """A session for whoever used a passkey."""
    onward = own_path(form.raw("next"))
    if not form.raw("credential"):
        return redirect(SIGN_IN, said=NEEDS_SCRIPT)
    try:
        secret = await sign_in_with_passkey(
            vault, form.raw("ceremony"), form.raw("credential"), address_of(request), device_of(request)
        )
    except (Unauthenticated, Busy) as error:
        return redirect(SIGN_IN, said=error.detail)
    return signed_in_answer(secret, onward)


def _page(request: Request, asked: Asked, onward: str, *, message: str = "", status: int = 200) -> Response:
    return render(
        request,
        "second_factor.html",
        member=None,
        title="Second factor",
        status=status,
        asked=asked,
        passkeys=asked.has_passkeys and Site.of(request.app.state.vault.settings.public_url).has_passkeys,
        onward=own_path(onward),
        message=message,
    )

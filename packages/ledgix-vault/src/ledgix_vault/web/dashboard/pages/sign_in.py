"""Signing in, joining by an invitation's link, signing out, and acting for another tenant."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.errors import Busy, CallerError, Conflict, Invalid, NotFound, Unauthenticated
from ledgix_vault.operations.accept_invitation import join_as_known, join_as_new, read_invitation
from ledgix_vault.operations.manage_sessions import sign_out
from ledgix_vault.operations.sign_in import Credentials, sign_in
from ledgix_vault.operations.use_session import switch_tenant, use_session
from ledgix_vault.tenancy.passkeys import Site
from ledgix_vault.tenancy.people import read_email
from ledgix_vault.web.dashboard.door import (
    COOKIE,
    address_of,
    device_of,
    half_signed_in_answer,
    own_path,
    signed_in_answer,
    signed_out_answer,
)
from ledgix_vault.web.dashboard.frame import SignedInHere, TheForm, TheVault, flaws_of, redirect, render

router = APIRouter()


@router.get("/sign-in")
async def get_sign_in(request: Request, vault: TheVault, next: str = "/app/") -> Response:
    """The sign-in page, for whoever isn't signed in."""
    secret = request.cookies.get(COOKIE)
    if secret and await use_session(vault, secret) is not None:
        return redirect(own_path(next))
    return _sign_in_page(request, next=next)


@router.post("/sign-in")
async def post_sign_in(request: Request, vault: TheVault, form: TheForm) -> Response:
    """A session for whoever gives the right password."""
    onward, typed = own_path(form.raw("next")), form.text("email")
    try:
        credentials = Credentials(read_email(typed), form.raw("password"), address_of(request), device_of(request))
        started = await sign_in(vault, credentials)
    except (Invalid, Unauthenticated, Busy) as error:
        status = 429 if isinstance(error, Busy) else 422
        message = "Enter your e-mail address." if isinstance(error, Invalid) else error.detail
        return _sign_in_page(request, next=onward, email=typed, message=message, status=status)
    if started.needs_second_factor:
        return half_signed_in_answer(started.secret, onward)
    return signed_in_answer(started.secret, onward)


@router.post("/sign-out")
async def post_sign_out(vault: TheVault, session: SignedInHere) -> Response:
    """Ends this session."""
    await sign_out(vault, session.member, session.session.session_id)
    return signed_out_answer()


@router.post("/switch-tenant")
async def post_switch_tenant(vault: TheVault, session: SignedInHere, form: TheForm) -> Response:
    """The same person, acting for another tenant of theirs."""
    return signed_in_answer(await switch_tenant(vault, session, form.text("tenant_id")), "/app/")


@router.get("/join/{secret}")
async def get_join(secret: str, request: Request, vault: TheVault) -> Response:
    """What an invitation's link shows. Opening it decides nothing: programs follow links too."""
    return await _join_page(request, vault, secret)


@router.post("/join/{secret}")
async def post_join(secret: str, request: Request, vault: TheVault, form: TheForm) -> Response:
    """Accepts the invitation: as somebody new with a password, or as the person who is signed in."""
    cookie = request.cookies.get(COOKIE)
    used = await use_session(vault, cookie) if cookie else None
    try:
        if used is not None:
            session = await join_as_known(vault, secret, used.member, device_of(request))
        else:
            session = await join_as_new(vault, secret, form.text("name"), form.raw("password"), device_of(request))
    except NotFound:
        raise
    except Conflict as error:
        return await _join_page(request, vault, secret, {"": error.detail})
    except CallerError as error:
        flaws = flaws_of(error) if isinstance(error, Invalid) else {"": error.detail}
        return await _join_page(request, vault, secret, flaws, form.text("name"))
    return signed_in_answer(session, "/app/")


async def _join_page(
    request: Request, vault: TheVault, secret: str, flaws: dict[str, str] | None = None, name: str = ""
) -> Response:
    invited = await read_invitation(vault, secret)
    cookie = request.cookies.get(COOKIE)
    used = await use_session(vault, cookie) if cookie else None
    return render(
        request,
        "join.html",
        member=None,
        title=f"Join {invited.tenant_name}",
        status=422 if flaws else 200,
        invited=invited,
        signed_in_as=used.member.email if used is not None else "",
        here=f"/app/join/{secret}",
        flaws=flaws or {},
        name=name,
    )


def _sign_in_page(request: Request, *, next: str, email: str = "", message: str = "", status: int = 200) -> Response:
    return render(
        request,
        "sign_in.html",
        member=None,
        title="Sign in",
        status=status,
        onward=own_path(next),
        passkeys=Site.of(request.app.state.vault.settings.public_url).has_passkeys,
        email=email,
        message=message,
    )

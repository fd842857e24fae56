"""Single sign-on at the door: which organisation, away to its provider, and back."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.errors import Busy, NotFound, Unauthenticated, Unavailable
from ledgix_vault.operations.single_sign_on import (
    Back,
    begin_single_sign_on,
    find_sign_on,
    finish_single_sign_on,
)
from ledgix_vault.tenancy.ceremonies import LIFETIMES, CeremonyKind
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.web.dashboard.door import AWAY, address_of, device_of, own_path, set_secret, signed_in_answer
from ledgix_vault.web.dashboard.frame import TheForm, TheVault, render

router = APIRouter()


@router.get("/sign-in/single-sign-on")
async def get_sign_on(request: Request, next: str = "/app/") -> Response:
    """Asks for the organisation."""
    return _page(request, next)


@router.post("/sign-in/single-sign-on")
async def post_sign_on(request: Request, vault: TheVault, form: TheForm) -> Response:
    """Shows where the organisation signs in. A link leads there, since no form of ours may be sent elsewhere."""
    typed, onward = form.text("organisation"), own_path(form.raw("next"))
    try:
        away = await begin_single_sign_on(vault, find_sign_on(vault, typed), onward, address_of(request))
    except (NotFound, Busy, Unavailable) as error:
        return _page(request, onward, typed=typed, message=error.detail, status=_status(error))
    answer = render(request, "sign_on_away.html", member=None, title=f"Sign in to {away.tenant_name}", away=away)
    set_secret(answer, AWAY, away.secret, LIFETIMES[CeremonyKind.SINGLE_SIGN_ON] // MICROSECONDS)
    return answer


@router.get("/sign-in/single-sign-on/back")
async def get_back(
    request: Request, vault: TheVault, code: str = "", state: str = "", iss: str = "", error: str = ""
) -> Response:
    """Where the provider sends the browser back to (RFC 6749 section 4.1.2)."""
    back = Back(code, state, iss, error)
    try:
        arrived = await finish_single_sign_on(
            vault, request.cookies.get(AWAY, ""), back, address_of(request), device_of(request)
        )
    except (Unauthenticated, NotFound, Busy, Unavailable) as refused:
        return _page(request, "/app/", message=refused.detail, status=_status(refused))
    return signed_in_answer(arrived.secret, arrived.onward)


def _status(error: Exception) -> int:
    return {Busy: 429, Unauthenticated: 401}.get(type(error), 503 if isinstance(error, Unavailable) else 422)


def _page(request: Request, onward: str, *, typed: str = "", message: str = "", status: int = 200) -> Response:
    return render(
        request,
        "sign_on.html",
        member=None,
        title="Single sign-on",
        status=status,
        onward=own_path(onward),
        typed=typed,
        message=message,
    )

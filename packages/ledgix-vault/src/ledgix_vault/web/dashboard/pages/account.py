"""A person's own account: name, password, and where they are signed in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.errors import Invalid
from ledgix_vault.operations.manage_sessions import change_name, change_password, read_sessions, sign_out
from ledgix_vault.web.dashboard.door import signed_out_answer
from ledgix_vault.web.dashboard.frame import SignedInHere, TheForm, TheVault, flaws_of, redirect, render

router = APIRouter()


@router.get("/account")
async def get_account(request: Request, vault: TheVault, session: SignedInHere) -> Response:
    """Name, password, sessions."""
    return await _page(request, vault, session, {})


@router.post("/account/name")
async def post_name(request: Request, vault: TheVault, session: SignedInHere, form: TheForm) -> Response:
    """How the person is shown."""
    try:
        await change_name(vault, session.member, form.text("name"))
    except Invalid as error:
        return await _page(request, vault, session, flaws_of(error))
    return redirect("/app/account", said="Your name was changed.")


@router.post("/account/password")
async def post_password(request: Request, vault: TheVault, session: SignedInHere, form: TheForm) -> Response:
    """A new password; everywhere else the person is signed out."""
    try:
        await change_password(vault, session.member, session.session.session_id, form.raw("old"), form.raw("password"))
    except Invalid as error:
        return await _page(request, vault, session, flaws_of(error))
    return redirect("/app/account", said="Your password was changed. You were signed out everywhere else.")


@router.post("/account/sessions/{session_id}/end")
async def post_end_session(session_id: str, vault: TheVault, session: SignedInHere) -> Response:
    """Signs the person out somewhere."""
    await sign_out(vault, session.member, session_id)
    if session_id == session.session.session_id:
        return signed_out_answer()
    return redirect("/app/account", said="You were signed out there.")


async def _page(request: Request, vault: TheVault, session: SignedInHere, flaws: dict[str, str]) -> Response:
    return render(
        request,
        "account.html",
        member=session.member,
        title="Your account",
        status=422 if flaws else 200,
        sessions=await read_sessions(vault, session.member),
        here=session.session.session_id,
        flaws=flaws,
    )

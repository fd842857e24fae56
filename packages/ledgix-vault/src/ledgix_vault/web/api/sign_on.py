"""The tenant's single sign-on."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledgix_vault.operations.change_single_sign_on import change_single_sign_on, read_single_sign_on
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body

router = APIRouter(tags=["Settings"])


@router.get("/single-sign-on", **answers("SingleSignOn"))
async def get_single_sign_on(vault: TheVault, caller: Caller) -> Response:
    """The provider of OpenID Connect where members sign in. Its client secret comes back masked."""
    return exact_json((await read_single_sign_on(vault, caller)).masked())


@router.put("/single-sign-on", **answers("SingleSignOn", 422), openapi_extra=body("SingleSignOn", idempotent=False))
async def put_single_sign_on(vault: TheVault, asked: AKnock) -> Response:
    """Change the members that are given; the others stay as they are. Another provider needs its client secret with
    it. Since a provider can name any member, the caller must have every scope."""
    return exact_json((await change_single_sign_on(vault, asked.caller, asked.json())).masked())

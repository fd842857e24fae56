"""What happens, as it happens: the stream that live parts of pages listen to."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.operations.use_session import session_holds
from ledgix_vault.web.dashboard.door import COOKIE
from ledgix_vault.web.dashboard.frame import SignedIn, TheVault
from ledgix_vault.web.event_stream import answer_with_events

router = APIRouter()


@router.get("/events")
async def get_events(request: Request, vault: TheVault, member: SignedIn, after: int | None = None) -> Response:
    """Server-sent events of the tenant's ledger, by default from now on, until the session ends or the role changes."""
    holds = partial(session_holds, vault, request.cookies[COOKIE], member)
    return await answer_with_events(request, vault, member, after=after, holds=holds)

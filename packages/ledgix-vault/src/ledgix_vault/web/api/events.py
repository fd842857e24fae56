"""The stream of ledger events."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from ledgix_vault.web.api.context import Caller, TheVault
from ledgix_vault.web.api.shapes import only_streamed
from ledgix_vault.web.event_stream import MEDIA_TYPE, answer_with_events

router = APIRouter(tags=["Ledger"])


@router.get("/events", **only_streamed(MEDIA_TYPE, 404, 422))
async def get_events(
    request: Request,
    vault: TheVault,
    caller: Caller,
    after: Annotated[int | None, Query(ge=-1, le=2**53, description="Events after this position; −1: all")] = None,
    request_id: Annotated[str, Query(max_length=64, description="Only events about this request")] = "",
    last_event_id: Annotated[str | None, Header(description="Like `after`, and wins over it")] = None,
) -> Response:
    """Follow the ledger as server-sent events, by default from now on.

    `id` is the event's position in the log, `event` its kind, `data` JSON with `event_uuid`, `request_id`, `kind`,
    `tool_name`, `agent_id`, `decision_status`, `outcome` and `accepted_at`; with the scope `ledger.full` also `reason`.
    Never arguments, never a token. Needs `ledger`, `ledger.full` or `review`; with `clearance` alone it has the key's
    own requests only. Whoever connects again with the last `id` misses nothing. A comment each 15 seconds shows that
    the stream lives.
    """
    return await answer_with_events(request, vault, caller, after=after, request_id=request_id)

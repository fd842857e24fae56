"""Requests as people look at them: searching, one with everything about it, and the figures of the last days."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ledgix.formats.json import Json
from ledgix_vault.clearance.overview import Range
from ledgix_vault.clearance.searching import read_sought
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.read_overview import read_overview
from ledgix_vault.operations.read_request import read_request
from ledgix_vault.operations.search_requests import search_requests
from ledgix_vault.web.api.context import Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers

router = APIRouter(tags=["Requests"])


@router.get("/requests", **answers("RequestPage", 422))
async def get_requests(
    request: Request,
    vault: TheVault,
    caller: Caller,
    tool: Annotated[str, Query(description="A tool's name; with a star at its end, the beginning of names")] = "",
    agent_id: str = "",
    session_id: Annotated[str, Query(description="Takes the scope ledger.full")] = "",
    outcome: Annotated[str, Query(description="pending, approved, denied, expired or cancelled")] = "",
    decided_by: Annotated[str, Query(description="engine, judge, person, key or system")] = "",
    policy_id: str = "",
    reason_code: str = "",
    since: Annotated[str, Query(description="RFC 3339; requests of this moment and later")] = "",
    until: Annotated[str, Query(description="RFC 3339; requests before this moment")] = "",
    text: Annotated[
        str, Query(description="A request id; or part of what was asked or of the reason, which takes ledger.full")
    ] = "",
    limit: int = 50,
    cursor: str = "",
) -> Response:
    """Requests, newest first; `limit` is clamped to 1–200. One call looks through a bounded number of requests: while
    `next_cursor` isn't "", older ones are left, even if this page has none."""
    page = await search_requests(vault, caller, read_sought(request.query_params), limit=limit, cursor=cursor)
    found: list[Json] = list(page.requests)
    return exact_json({"requests": found, "next_cursor": page.next_cursor, "searched_to": page.searched_to})


@router.get("/requests/{request_id}", **answers("RequestDetail", 404))
async def get_request(request_id: str, vault: TheVault, caller: Caller) -> Response:
    """One request: what was asked, how it was decided and why, its review, its token's state, its ledger entries."""
    return exact_json(await read_request(vault, caller, request_id))


@router.get("/overview", **answers("Overview", 422))
async def get_overview(
    vault: TheVault,
    caller: Caller,
    span: Annotated[str, Query(alias="range", description="24h, 7d or 30d")] = str(Range.DAY),
) -> Response:
    """Requests by outcome over time, how many needed no person, how long reviews took, tools, agents and budgets."""
    if span not in tuple(Range):
        raise Invalid(f"must be one of {', '.join(Range)}", path="range")
    return exact_json(await read_overview(vault, caller, Range(span)))

"""Reported outcomes, and how full the budgets are."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.reports import Reported
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.read_limits import read_limits
from ledgix_vault.operations.report_outcome import Told, report_outcome
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body

router = APIRouter(tags=["Limits"])
LONGEST_ID = 64
LONGEST_DETAIL = 2000


@router.post("/outcomes", **answers("Outcome", 404, 409, 422), openapi_extra=body("OutcomeReport"))
async def post_outcome(vault: TheVault, asked: AKnock) -> Response:
    """Report what became of an approved call. `refused` gives back what the call took of its limits."""
    reported, replayed = await report_outcome(vault, asked.caller, _told(asked.json()), asked.key)
    return exact_json(reported, replayed=replayed)


@router.get("/limits", **answers("LimitList", 422))
async def get_limits(vault: TheVault, caller: Caller, keys: int = 20) -> Response:
    """Every active limit with its fullest budgets, `keys` of each (1 to 100)."""
    found: list[Json] = list(await read_limits(vault, caller, keys=keys))
    return exact_json({"limits": found})


def _told(content: JsonObject) -> Told:
    outcome, detail = content.get("outcome"), content.get("detail", "")
    if not isinstance(outcome, str) or outcome not in tuple(Reported):
        raise Invalid(f"is required: one of {', '.join(Reported)}", path="$.outcome")
    if not isinstance(detail, str) or len(detail) > LONGEST_DETAIL:
        raise Invalid(f"must be a string of at most {LONGEST_DETAIL} characters", path="$.detail")
    request_id, jti = _id(content, "request_id"), _id(content, "jti")
    if bool(request_id) == bool(jti):
        raise Invalid("give either request_id or jti: the approval that this is about", path="$.request_id")
    return Told(Reported(outcome), detail, request_id, jti)


def _id(content: JsonObject, name: str) -> str:
    value = content.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_ID:
        raise Invalid(f"must be a string of 1 to {LONGEST_ID} characters", path=f"$.{name}")
    return value

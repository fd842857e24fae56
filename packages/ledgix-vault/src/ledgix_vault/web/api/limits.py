"""Reported outcomes, and how full the budgets are."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.reports import Reported
from ledgix_vault.errors import Invalid, VaultError
from ledgix_vault.operations.read_limits import read_limits
from ledgix_vault.operations.report_outcome import report_outcome
from ledgix_vault.operations.report_outcomes import report_outcomes
from ledgix_vault.operations.steps.reporting import Told
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body
from ledgix_vault.web.problems import problem

router = APIRouter(tags=["Limits"])
LONGEST_ID = 64
LONGEST_DETAIL = 2000


@router.post("/outcomes", **answers("Outcome", 404, 409, 422), openapi_extra=body("OutcomeReport"))
async def post_outcome(vault: TheVault, asked: AKnock) -> Response:
    """Report what became of an approved call. `refused` gives back what the call took of its limits."""
    reported, replayed = await report_outcome(vault, asked.caller, _told(asked.json()), asked.key)
    return exact_json(reported, replayed=replayed)


@router.post("/outcomes/batch", **answers("OutcomeList", 422), openapi_extra=body("OutcomeReports"))
async def post_outcomes(vault: TheVault, asked: AKnock) -> Response:
    """Report what became of up to 100 approved calls. Each is recorded by itself and has its own answer, in the order
    of the reports: one that is refused doesn't stop the others."""
    reports = asked.json().get("reports")
    if not isinstance(reports, list):
        raise Invalid("is required: a list of reports", path="$.reports")
    told = [_told(each, f"$.reports[{place}]") for place, each in enumerate(reports)]
    results = await report_outcomes(vault, asked.caller, told, asked.key)
    return exact_json({"results": [_result(each) for each in results]})


@router.get("/limits", **answers("LimitList", 422))
async def get_limits(vault: TheVault, caller: Caller, keys: int = 20) -> Response:
    """Every active limit with its fullest budgets, `keys` of each (1 to 100)."""
    found: list[Json] = list(await read_limits(vault, caller, keys=keys))
    return exact_json({"limits": found})


def _result(result: JsonObject | VaultError) -> JsonObject:
    return {"problem": problem(result).to_json()} if isinstance(result, VaultError) else {"recorded": result}


def _told(content: Json, place: str = "$") -> Told:
    if not isinstance(content, dict):
        raise Invalid("must be an object", path=place)
    outcome, detail = content.get("outcome"), content.get("detail", "")
    if not isinstance(outcome, str) or outcome not in tuple(Reported):
        raise Invalid(f"is required: one of {', '.join(Reported)}", path=f"{place}.outcome")
    if not isinstance(detail, str) or len(detail) > LONGEST_DETAIL:
        raise Invalid(f"must be a string of at most {LONGEST_DETAIL} characters", path=f"{place}.detail")
    request_id, jti = _id(content, "request_id", place), _id(content, "jti", place)
    if bool(request_id) == bool(jti):
        raise Invalid("give either request_id or jti: the approval that this is about", path=f"{place}.request_id")
    return Told(Reported(outcome), detail, request_id, jti)


def _id(content: JsonObject, name: str, place: str) -> str:
    value = content.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_ID:
        raise Invalid(f"must be a string of 1 to {LONGEST_ID} characters", path=f"{place}.{name}")
    return value

"""The review queue and the review settings."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.change_review_settings import change_review_settings
from ledgix_vault.operations.decide_review import Verdict, decide_review
from ledgix_vault.operations.list_reviews import list_reviews
from ledgix_vault.reviews.review import ReviewStatus
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body

router = APIRouter(tags=["Reviews"])
LONGEST_REASON = 4000
ANY = "any"


@router.get("/reviews", **answers("ReviewPage", 422))
async def get_reviews(
    vault: TheVault, caller: Caller, status: str = "pending", limit: int = 100, cursor: str = ""
) -> Response:
    """Reviews, newest first. `status` is pending, approved, denied, expired, cancelled or any; `limit` is clamped."""
    if status != ANY and status not in tuple(ReviewStatus):
        raise Invalid(f"must be one of {', '.join(ReviewStatus)} or {ANY}", path="status")
    wanted = None if status == ANY else ReviewStatus(status)
    page = await list_reviews(vault, caller, status=wanted, limit=limit, cursor=cursor)
    found: list[Json] = list(page.reviews)
    return exact_json({"reviews": found, "next_cursor": page.next_cursor})


@router.post(
    "/reviews/{request_id}/decision", **answers("Clearance", 404, 409, 422), openapi_extra=body("ReviewDecision")
)
async def post_decision(request_id: str, vault: TheVault, asked: AKnock) -> Response:
    """Approve or deny a request that waits for a person; a denial by the key that asked cancels the request."""
    clearance, replayed = await decide_review(vault, asked.caller, request_id, _verdict(asked.json()), asked.key)
    return exact_json(vault.answer_without_token(clearance), replayed=replayed)


@router.get("/review-settings", **answers("ReviewSettings"))
async def get_review_settings(vault: TheVault, caller: Caller) -> Response:
    """The confidence threshold, the deadline of reviews, quorum and separation of duties."""
    caller.require(Scope.SETTINGS)
    return exact_json(vault.store.tenant(caller.tenant_id).settings.to_json())


@router.put(
    "/review-settings", **answers("ReviewSettings", 422), openapi_extra=body("ReviewSettings", idempotent=False)
)
async def put_review_settings(vault: TheVault, asked: AKnock) -> Response:
    """Change the members that are given; the others stay as they are."""
    return exact_json((await change_review_settings(vault, asked.caller, asked.json())).to_json())


def _verdict(content: JsonObject) -> Verdict:
    approved, reason, changed = content.get("approved"), content.get("review_reason", ""), content.get("effective_args")
    if not isinstance(approved, bool):
        raise Invalid("is required: true or false", path="$.approved")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        raise Invalid(f"must be a string of at most {LONGEST_REASON} characters", path="$.review_reason")
    if changed is not None and not isinstance(changed, dict):
        raise Invalid("must be an object: the arguments that may run instead", path="$.effective_args")
    if changed is not None and not approved:
        raise Invalid("makes sense only together with an approval", path="$.effective_args")
    return Verdict(approved, reason, changed)

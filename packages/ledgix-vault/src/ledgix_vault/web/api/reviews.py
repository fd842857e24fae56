"""The review queue and the review settings."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.errors import Invalid
from ledgix_vault.operations.change_review_settings import change_review_settings
from ledgix_vault.operations.decide_review import Verdict, decide_review
from ledgix_vault.operations.decide_reviews import Decided, decide_reviews
from ledgix_vault.operations.list_reviews import ReviewOrder, list_reviews
from ledgix_vault.operations.preview_threshold import LIMITS, preview_threshold
from ledgix_vault.operations.read_review import read_review, review_counts
from ledgix_vault.operations.second_reviewer import ask_second_reviewer
from ledgix_vault.operations.similar_decisions import similar_decisions
from ledgix_vault.reviews.review import ReviewStatus
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import rfc3339
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body

router = APIRouter(tags=["Reviews"])
LONGEST_REASON = 4000
ANY = "any"


@router.get("/reviews", **answers("ReviewPage", 422))
async def get_reviews(
    vault: TheVault, caller: Caller, status: str = "pending", limit: int = 100, cursor: str = "", order: str = "newest"
) -> Response:
    """Reviews in order of opening. `status` is pending, approved, denied, expired, cancelled or any; `order` is newest
    or oldest; `limit` is clamped. Each says whether the caller can approve it, and why not."""
    if status != ANY and status not in tuple(ReviewStatus):
        raise Invalid(f"must be one of {', '.join(ReviewStatus)} or {ANY}", path="status")
    if order not in tuple(ReviewOrder):
        raise Invalid(f"must be one of {', '.join(ReviewOrder)}", path="order")
    wanted = None if status == ANY else ReviewStatus(status)
    page = await list_reviews(vault, caller, status=wanted, limit=limit, cursor=cursor, order=ReviewOrder(order))
    found: list[Json] = list(page.reviews)
    return exact_json({"reviews": found, "next_cursor": page.next_cursor})


@router.get("/reviews/counts", **answers("ReviewCounts"))
async def get_counts(vault: TheVault, caller: Caller) -> Response:
    """How many reviews wait, and how many of them for too long; each counted up to 100."""
    return exact_json(await review_counts(vault, caller))


@router.post("/reviews/decisions", **answers("ReviewsDecided", 422), openapi_extra=body("ReviewDecisions"))
async def post_decisions(vault: TheVault, asked: AKnock) -> Response:
    """Decide up to 100 requests alike. Each is decided by itself, with its own event and token, and has its own answer:
    one that is refused doesn't stop the others."""
    content = asked.json()
    verdict = _verdict({**content, "effective_args": None})
    decided = await decide_reviews(vault, asked.caller, _request_ids(content), verdict, asked.key)
    found: list[Json] = [_result(vault, each) for each in decided]
    return exact_json({"results": found})


@router.get("/reviews/{request_id}", **answers("ReviewItem", 404))
async def get_review(request_id: str, vault: TheVault, caller: Caller) -> Response:
    """One review with all that a reviewer has to know."""
    return exact_json(await read_review(vault, caller, request_id))


@router.get("/reviews/{request_id}/similar", **answers("SimilarDecisions", 404))
async def get_similar(request_id: str, vault: TheVault, caller: Caller) -> Response:
    """Up to five earlier decisions by people about the same tool; those of the same policy, rules and agent first."""
    found: list[Json] = list(await similar_decisions(vault, caller, request_id))
    return exact_json({"decisions": found})


@router.post(
    "/reviews/{request_id}/second-reviewer",
    **answers("ReviewItem", 404, 409, 422),
    openapi_extra=body("SecondReviewer"),
)
async def post_second_reviewer(request_id: str, vault: TheVault, asked: AKnock) -> Response:
    """Ask for a second reviewer: one more person has to approve. The same wish again changes nothing."""
    reason = _reason(asked.json())
    item, replayed = await ask_second_reviewer(vault, asked.caller, request_id, reason, asked.key)
    return exact_json(item, replayed=replayed)


@router.post(
    "/reviews/{request_id}/decision", **answers("Clearance", 404, 409, 422), openapi_extra=body("ReviewDecision")
)
async def post_decision(request_id: str, vault: TheVault, asked: AKnock) -> Response:
    """Approve or deny a request that waits for a person; a denial by the key that asked cancels the request."""
    clearance, replayed = await decide_review(vault, asked.caller, request_id, _verdict(asked.json()), asked.key)
    return exact_json(vault.answer_without_token(clearance), replayed=replayed)


@router.get("/review-settings", **answers("ReviewSettings"))
async def get_review_settings(vault: TheVault, caller: Caller) -> Response:
    """The confidence threshold, when reviews are escalated and expire, who has to approve, when a reason is needed."""
    caller.require(Scope.SETTINGS)
    return exact_json(vault.store.tenant(caller.tenant_id).settings.to_json())


@router.put(
    "/review-settings", **answers("ReviewSettings", 422), openapi_extra=body("ReviewSettings", idempotent=False)
)
async def put_review_settings(vault: TheVault, asked: AKnock) -> Response:
    """Change the members that are given; the others stay as they are."""
    return exact_json((await change_review_settings(vault, asked.caller, asked.json())).to_json())


@router.get("/review-settings/preview", **answers("ThresholdPreview"))
async def get_threshold_preview(vault: TheVault, caller: Caller) -> Response:
    """What each confidence threshold would have done with the decisions of the last seven days: how many approvals
    without a person, how many reviews. Counted from what was recorded; nothing is evaluated again."""
    preview = await preview_threshold(vault, caller)
    thresholds: list[Json] = [
        {"minimum_confidence_bucket": str(each.minimum), "approved": each.approved, "reviewed": each.reviewed}
        for each in preview.effects.thresholds
    ]
    return exact_json(
        {
            "since": rfc3339(preview.since),
            "complete": preview.complete,
            "decided": preview.effects.decided,
            "minimum_confidence_bucket": str(vault.store.tenant(caller.tenant_id).settings.minimum_confidence_bucket),
            "thresholds": thresholds,
            "other_reviews": preview.effects.other_reviews,
            "denied": preview.effects.denials,
            "limits": [*LIMITS],
        }
    )


def _verdict(content: JsonObject) -> Verdict:
    approved, reason, changed = content.get("approved"), _reason(content), content.get("effective_args")
    if not isinstance(approved, bool):
        raise Invalid("is required: true or false", path="$.approved")
    if changed is not None and not isinstance(changed, dict):
        raise Invalid("must be an object: the arguments that may run instead", path="$.effective_args")
    if changed is not None and not approved:
        raise Invalid("makes sense only together with an approval", path="$.effective_args")
    return Verdict(approved, reason, changed)


def _reason(content: JsonObject) -> str:
    reason = content.get("review_reason", "")
    if not isinstance(reason, str) or len(reason) > LONGEST_REASON:
        raise Invalid(f"must be a string of at most {LONGEST_REASON} characters", path="$.review_reason")
    return reason


def _request_ids(content: JsonObject) -> list[str]:
    found = content.get("request_ids")
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise Invalid("must be a list of request ids", path="$.request_ids")
    return [str(each) for each in found]


def _result(vault: TheVault, decided: Decided) -> JsonObject:
    if decided.problem is not None:
        return {"request_id": decided.request_id, "code": decided.problem.code, "detail": decided.problem.detail}
    assert decided.clearance is not None
    answered = vault.answer_without_token(decided.clearance)
    return {"request_id": decided.request_id, "status": answered["status"], "outcome": answered["outcome"]}

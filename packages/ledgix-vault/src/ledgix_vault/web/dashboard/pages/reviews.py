"""The review queue: what waits for a person, one review with all that there is to know, and deciding one or several."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ledgix.errors import JsonError
from ledgix.formats import json
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.request import CHANGED_ARGS
from ledgix_vault.errors import Conflict, Invalid, NotFound
from ledgix_vault.notices.visible import visible
from ledgix_vault.operations.decide_review import decide_review
from ledgix_vault.operations.decide_reviews import decide_reviews
from ledgix_vault.operations.list_reviews import ReviewOrder, list_reviews
from ledgix_vault.operations.read_names import read_names
from ledgix_vault.operations.read_review import read_review
from ledgix_vault.operations.second_reviewer import ask_second_reviewer
from ledgix_vault.operations.similar_decisions import similar_decisions
from ledgix_vault.operations.steps.deciding import Verdict
from ledgix_vault.reviews.review import ReviewStatus
from ledgix_vault.web.dashboard.frame import SignedIn, TheForm, TheVault, flaws_of, redirect, render
from ledgix_vault.web.dashboard.readable import pretty, read_arguments, summary

router = APIRouter()
HERE = "/app/reviews"
MOST_SHOWN = 50
MOST_AT_ONCE = 100
LONGEST_REASON = 4000
TABS = {"pending": "Waiting", "approved": "Approved", "denied": "Denied", "expired": "Expired", "any": "All"}
SAID = {True: "Approved. The agent gets its token for exactly this call.", False: "Denied. The agent is told why."}


@router.get("/reviews")
async def get_reviews(
    request: Request, vault: TheVault, member: SignedIn, status: str = "pending", cursor: str = ""
) -> Response:
    """The queue, oldest first; or how earlier reviews ended, newest first."""
    if status not in TABS:
        raise NotFound("There is no such list.")
    is_queue = status == ReviewStatus.PENDING
    wanted = None if status == "any" else ReviewStatus(status)
    order = ReviewOrder.OLDEST if is_queue else ReviewOrder.NEWEST
    page = await list_reviews(vault, member, status=wanted, limit=MOST_SHOWN, cursor=cursor, order=order)
    found = [_shown(vault, member.tenant_id, item) for item in page.reviews]
    return render(
        request,
        "reviews.html",
        member=member,
        title="Reviews",
        status_shown=status,
        tabs=TABS,
        reviews=found,
        names=await read_names(vault, member),
        next_href=f"{HERE}?status={status}&cursor={page.next_cursor}" if page.next_cursor else "",
        first_href=f"{HERE}?status={status}" if cursor else "",
        next_label="Newer" if is_queue else "Older",
        first_label="Oldest" if is_queue else "Newest",
    )


@router.get("/reviews/batch")
async def get_batch(
    request: Request, vault: TheVault, member: SignedIn, id: Annotated[list[str] | None, Query()] = None
) -> Response:
    """Several reviews on one page, each call in full, before they are decided together."""
    chosen = list(dict.fromkeys(id or []))[:MOST_AT_ONCE]
    if not chosen:
        return redirect(HERE, said="Choose the calls first that you want to decide together.")
    return await _batch_page(request, vault, member, chosen, {})


@router.post("/reviews/batch")
async def post_batch(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """Decides each of the calls by itself: each has its own decision, event and token."""
    chosen = list(dict.fromkeys(form.texts("id")))[:MOST_AT_ONCE]
    verdict = _verdict(form)
    try:
        results = await decide_reviews(vault, member, chosen, verdict, None)
    except Invalid as error:
        return await _batch_page(request, vault, member, chosen, {}, flaws=flaws_of(error))
    problems = {each.request_id: each.problem.detail for each in results if each.problem is not None}
    decided = len(results) - len(problems)
    if problems:
        return await _batch_page(request, vault, member, list(problems), problems, decided=decided)
    word = "approved" if verdict.approved else "denied"
    return redirect(HERE, said=f"{decided} {'call was' if decided == 1 else 'calls were'} {word}.")


@router.get("/reviews/{request_id}")
async def get_review(request_id: str, request: Request, vault: TheVault, member: SignedIn) -> Response:
    """One call with all that there is to know about it."""
    return await _review_page(request, vault, member, request_id)


@router.post("/reviews/{request_id}")
async def post_review(request_id: str, request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """The decision. Whoever comes second sees who was first."""
    try:
        verdict = _verdict(form)
        clearance, _ = await decide_review(vault, member, request_id, verdict, None)
    except Invalid as error:
        return await _review_page(request, vault, member, request_id, flaws_of(error), form, status=422)
    except Conflict as error:
        return await _review_page(request, vault, member, request_id, {"": error.detail}, form, status=409)
    if clearance.decision.needs_person:
        return redirect(f"{HERE}/{request_id}", said="Your approval counts. Somebody else has to approve, too.")
    return redirect(f"{HERE}/{request_id}", said=SAID[verdict.approved])


@router.post("/reviews/{request_id}/second-reviewer")
async def post_second_reviewer(
    request_id: str, request: Request, vault: TheVault, member: SignedIn, form: TheForm
) -> Response:
    """One more person has to approve this call."""
    try:
        await ask_second_reviewer(vault, member, request_id, form.text("review_reason"), None)
    except Invalid as error:
        return await _review_page(request, vault, member, request_id, flaws_of(error), form, status=422)
    except Conflict as error:
        return await _review_page(request, vault, member, request_id, {"": error.detail}, form, status=409)
    return redirect(f"{HERE}/{request_id}", said="One more person has to approve this call now.")


def _verdict(form: TheForm) -> Verdict:
    wanted, reason = form.text("verdict"), form.text("review_reason")
    if wanted not in ("approve", "deny", "change"):
        raise Invalid("Choose whether to approve or to deny.", path="verdict")
    if len(reason) > LONGEST_REASON:
        raise Invalid(f"A reason has at most {LONGEST_REASON:,} characters.", path="review_reason")
    return Verdict(wanted != "deny", reason, _changed(form.raw("effective_args")) if wanted == "change" else None)


def _changed(text: str) -> JsonObject:
    try:
        return json.parse_object(text.encode("utf-8", "surrogatepass"))
    except JsonError as error:
        raise Invalid(f"At {error.path}: {error.message}", path="effective_args") from error


async def _batch_page(
    request: Request,
    vault: TheVault,
    member: SignedIn,
    chosen: list[str],
    problems: dict[str, str],
    *,
    decided: int = 0,
    flaws: dict[str, str] | None = None,
) -> Response:
    found = [_shown(vault, member.tenant_id, await read_review(vault, member, each)) for each in chosen]
    return render(
        request,
        "review_batch.html",
        member=member,
        title=f"Decide {len(found)} {'call' if len(found) == 1 else 'calls'} together",
        status=409 if problems else 422 if flaws else 200,
        reviews=found,
        problems=problems,
        decided=decided,
        flaws=flaws or {},
    )


async def _review_page(
    request: Request,
    vault: TheVault,
    member: SignedIn,
    request_id: str,
    flaws: dict[str, str] | None = None,
    form: TheForm | None = None,
    *,
    status: int = 200,
) -> Response:
    item = await read_review(vault, member, request_id)
    past = await similar_decisions(vault, member, request_id)
    accepts: Any = item["accepts"]
    typed = form.raw("effective_args") if form is not None else ""
    return render(
        request,
        "review.html",
        member=member,
        title=visible(str(item["tool_name"])),
        status=status,
        review=_shown(vault, member.tenant_id, item),
        names=await read_names(vault, member),
        past=[_shown(vault, member.tenant_id, {**each, "tool_name": item["tool_name"]}) for each in past],
        reason_required=vault.store.tenant(member.tenant_id).settings.reason_required,
        may_change=CHANGED_ARGS in accepts and item["quorum"] == 1,
        effective_args=typed or pretty(item["tool_args"]),
        flaws=flaws or {},
        reason=form.text("review_reason") if form is not None else "",
    )


def _shown(vault: TheVault, tenant_id: str, item: JsonObject) -> dict[str, Any]:
    """The review with its arguments as people read them."""
    schema = vault.store.tenant(tenant_id).snapshot.schemas.get(str(item["tool_name"]))
    money = schema.money if schema is not None else None
    args: Any = item["tool_args"]
    changed: Any = item["effective_args"]
    return {
        **item,
        "arguments": read_arguments(args, money),
        "summary": summary(args, money),
        "changed": read_arguments(changed, money) if changed is not None else None,
        "exact": pretty(args),
    }

"""The first page: what happened lately, in figures, and the newest requests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import Outcome
from ledgix_vault.clearance.overview import Range
from ledgix_vault.clearance.searching import Sought
from ledgix_vault.notices.visible import visible
from ledgix_vault.operations.read_overview import read_overview
from ledgix_vault.operations.search_requests import search_requests
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.times import MICROSECONDS, read_moment
from ledgix_vault.vault import Vault
from ledgix_vault.web.dashboard.charts import Chart, Series, columns, layers
from ledgix_vault.web.dashboard.frame import SignedIn, TheVault, render
from ledgix_vault.web.dashboard.shown.calls import shown_call
from ledgix_vault.web.dashboard.words import duration, milliseconds

router = APIRouter()
NEWEST = 12
RANGES = {Range.DAY: "24 hours", Range.WEEK: "7 days", Range.MONTH: "30 days"}
SERIES = (
    ("approved", Outcome.APPROVED),
    ("denied", Outcome.DENIED),
    ("waiting", Outcome.PENDING),
    ("expired", Outcome.EXPIRED),
    ("cancelled", Outcome.CANCELLED),
)
TIMED = (
    ("rules", "How long rules took", "ms", 1, "From reading a request to writing its decision or its review."),
    ("judge", "How long the judge took", "s", 0.001, "From storing a request to writing the judge's decision."),
)
LABELS = {Range.DAY: "%H:%M", Range.WEEK: "%a %H:%M", Range.MONTH: "%-d %b"}


@router.get("/")
async def get_overview(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """Figures of the last day, week or month; what happens meanwhile appears by itself."""
    told = request.query_params.get("range", "")
    span = Range(told) if told in tuple(Range) else Range.DAY
    figures: Any = await read_overview(vault, member, span)
    newest = await search_requests(vault, member, Sought(), limit=NEWEST, cursor="")
    return render(
        request,
        "overview.html",
        member=member,
        title="Overview",
        figures=figures,
        tops=[
            ("Most used tools", "tool", [(visible(each["name"]), each) for each in figures["tools"]]),
            ("Busiest agents", "agent_id", [(visible(each["name"]), each) for each in figures["agents"]]),
        ],
        chart=_chart(figures, span),
        times=_times(figures["decision_times"], span),
        took=_took(figures["decision_times"]["rules"]),
        span=span,
        ranges=RANGES,
        newest=[_feed(vault, member, row) for row in newest.requests],
        automatic=_percent(figures["decided_without_a_person"], figures["decided"]),
        oldest=_waits_since(figures["reviews"]["oldest_opened_at"], vault.clock()),
        budgets=[_budget(limit) for limit in figures["budgets"]],
        may_review=member.allows(Scope.REVIEW),
    )


def _chart(figures: Any, span: Range) -> Chart:
    steps = figures["steps"]
    series = [
        Series(name, str(outcome), tuple(step[outcome] for step in steps))
        for name, outcome in SERIES
        if figures["outcomes"][outcome] or outcome in (Outcome.APPROVED, Outcome.DENIED)
    ]
    return columns("Requests by outcome", _labels(steps, span), series)


def _times(figures: Any, span: Range) -> list[tuple[Chart, str]]:
    """How long rules took, and the judge where there is one, each with what is measured."""
    return [
        (_time_chart(title, figures[by]["steps"], span, unit, factor), measured)
        for by, title, unit, factor, measured in TIMED
        if figures[by]["measured"]
    ]


def _time_chart(title: str, steps: Any, span: Range, unit: str, factor: float) -> Chart:
    series = [
        Series(name, kind, tuple(None if step[of] is None else step[of] * factor for step in steps))
        for name, kind, of in (("95 of 100 within", "most", "p95_within_ms"), ("half within", "", "median_within_ms"))
    ]
    return layers(title, _labels(steps, span), series, unit)


def _took(rules: Any) -> tuple[str, str]:
    """The median, and what 95 of 100 stay within."""
    median, most = rules["median_within_ms"], rules["p95_within_ms"]
    if not rules["measured"]:
        return "–", "no decision was timed"
    return (
        f"≤ {milliseconds(median)}" if median is not None else "very long",
        f"95 of 100 within {milliseconds(most)}" if most is not None else "and some very long",
    )


def _labels(steps: Any, span: Range) -> list[str]:
    return [f"{datetime.fromisoformat(step['at']).astimezone(UTC):{LABELS[span]}}" for step in steps]


def _feed(vault: Vault, member: Member, row: JsonObject) -> dict[str, Any]:
    asked_at = read_moment(str(row["requested_at"]))
    return {**shown_call(vault, member.tenant_id, row), "asked_at": asked_at}


def _waits_since(opened_at: str | None, now: int) -> str:
    since = read_moment(opened_at) if opened_at else None
    return "" if since is None else f"the oldest for {duration((now - since) / MICROSECONDS)}"


def _percent(part: int, whole: int) -> str:
    """Never 100 % of almost all, nor 0 % of a few."""
    if not whole:
        return "–"
    percent = round(100 * part / whole)
    if percent in (0, 100) and part not in (0, whole):
        return "< 1 %" if percent == 0 else "> 99 %"
    return f"{percent} %"


def _budget(limit: Any) -> dict[str, Any]:
    """A limit with what was used of it; `share` is whole percent for the bar, at most 100."""
    used = limit["budgets"][0]["used"] if limit["budgets"] else "0"
    most = float(limit["maximum"])
    return {**limit, "used": used, "share": min(100, round(100 * float(used) / most)) if most else 100}

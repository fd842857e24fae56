"""How sure a decision must be, and what reviewers may do: a tenant's review settings, with a look at last week."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from ledgix_vault.errors import Invalid
from ledgix_vault.operations.change_review_settings import change_review_settings
from ledgix_vault.operations.preview_threshold import DAYS, LIMITS, MOST, preview_threshold
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.web.dashboard.described import (
    DESCRIBED,
    THRESHOLD,
    UNITS,
    read_settings,
    typed_again,
    typed_settings,
)
from ledgix_vault.web.dashboard.frame import SignedIn, TheForm, TheVault, flaws_of, redirect, render

router = APIRouter()
HERE = "/app/settings/decisions"


@router.get("/settings/decisions")
async def get_decisions(request: Request, vault: TheVault, member: SignedIn) -> Response:
    """Every setting, and what each threshold would have done last week."""
    return await _page(request, vault, member, typed_settings(_settings(vault, member)), {})


@router.post("/settings/decisions")
async def post_decisions(request: Request, vault: TheVault, member: SignedIn, form: TheForm) -> Response:
    """All of them at once; what is unchanged leaves no event."""
    before = _settings(vault, member)
    values, flaws = read_settings(form)
    if not flaws:
        try:
            after = await change_review_settings(vault, member, values)
        except Invalid as error:
            flaws = flaws_of(error)
        else:
            return redirect(HERE, said="Nothing was changed." if after == before else "The settings are in force.")
    return await _page(request, vault, member, typed_again(form), flaws)


def _settings(vault: TheVault, member: SignedIn) -> ReviewSettings:
    return vault.store.tenant(member.tenant_id).settings


async def _page(
    request: Request, vault: TheVault, member: SignedIn, typed: dict[str, Any], flaws: dict[str, str]
) -> Response:
    preview = await preview_threshold(vault, member)
    return render(
        request,
        "decisions.html",
        member=member,
        title="Decisions and reviews",
        status=422 if flaws else 200,
        threshold=THRESHOLD,
        described=[each for each in DESCRIBED if each is not THRESHOLD],
        units=UNITS,
        typed=typed,
        flaws=flaws,
        current=str(_settings(vault, member).minimum_confidence_bucket),
        preview=preview,
        counted={str(each.minimum): each for each in preview.effects.thresholds},
        days=DAYS,
        most=MOST,
        limits=LIMITS,
    )

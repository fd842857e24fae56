"""Limits: how much of each budget is used, by policy."""

from __future__ import annotations

from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from ledgix_vault.operations.read_limits import read_limits
from ledgix_vault.web.dashboard.frame import SignedIn, TheVault, render
from ledgix_vault.web.dashboard.shown.budgets import shown_limits
from ledgix_vault.web.dashboard.shown.links import policy_href

router = APIRouter()


@router.get("/limits")
async def get_limits(
    request: Request, vault: TheVault, member: SignedIn, keys: Annotated[int, Query(ge=1, le=100)] = 10
) -> Response:
    """Every limit of the policies in force, with its fullest budgets."""
    found = await read_limits(vault, member, keys=keys)
    documents = {
        each.document.policy_id: each.document for each in vault.store.tenant(member.tenant_id).snapshot.policies
    }
    return render(
        request,
        "limits.html",
        member=member,
        title="Limits",
        policies=shown_limits(cast("Any", found), documents),
        keys=keys,
        policy_href=policy_href,
    )

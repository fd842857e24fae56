"""The tenant's judge."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from ledgix_vault.operations.change_judge_settings import change_judge_settings
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.web.api.context import AKnock, Caller, TheVault, exact_json
from ledgix_vault.web.api.shapes import answers, body

router = APIRouter(tags=["Settings"])


@router.get("/judge-settings", **answers("JudgeSettings"))
async def get_judge_settings(vault: TheVault, caller: Caller) -> Response:
    """Which language model looks at calls that only text stands against. Its API key comes back masked."""
    caller.require(Scope.SETTINGS)
    return exact_json(vault.store.tenant(caller.tenant_id).judge.masked())


@router.put("/judge-settings", **answers("JudgeSettings", 422), openapi_extra=body("JudgeSettings", idempotent=False))
async def put_judge_settings(vault: TheVault, asked: AKnock) -> Response:
    """Change the members that are given; the others stay as they are. Another server needs its API key with it."""
    return exact_json((await change_judge_settings(vault, asked.caller, asked.json())).masked())

"""The ASGI application: the hot path in front, FastAPI behind it."""

from __future__ import annotations

from functools import cache
from typing import Any

from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse

from ledgix_vault.vault import Vault
from ledgix_vault.web.api import (
    api_keys,
    documents,
    events,
    judges,
    ledger,
    limits,
    members,
    notifications,
    open,
    policies,
    policy_versions,
    requests,
    reviews,
    sign_on,
    simulation,
    suspensions,
    understanding,
)
from ledgix_vault.web.bare import bare_app
from ledgix_vault.web.dashboard.app import PREFIX, build_dashboard
from ledgix_vault.web.docs_page import CONTENT_SECURITY_POLICY, render_docs
from ledgix_vault.web.hot import App, HotPath
from ledgix_vault.web.openapi import describe
from ledgix_vault.web.paths import AsSent
from ledgix_vault.web.problems import HANDLERS
from ledgix_vault.worker import Worker

DESCRIPTION = "Decides tool calls by policy, issues one-call tokens, keeps a tamper-evident ledger."

ROOMS = (
    open,
    policies,
    policy_versions,
    understanding,
    limits,
    simulation,
    documents,
    reviews,
    requests,
    suspensions,
    judges,
    sign_on,
    notifications,
    members,
    api_keys,
    ledger,
    events,
)
"""What the API has, in the order of its description."""


def build_app(vault: Vault, worker: Worker) -> App:
    """The application that serves this Vault."""
    api = _api()
    api.state.vault, api.state.worker = vault, worker
    _describe_itself(api)
    api.mount(PREFIX, build_dashboard(vault, worker))
    return HotPath(vault, AsSent(api))


def _api() -> FastAPI:
    api = bare_app(HANDLERS, "Ledgix Vault", DESCRIPTION)
    for room in ROOMS:
        api.include_router(room.router)
    return api


@cache
def _description() -> tuple[dict[str, Any], str]:
    """The description and the page that shows it: the same for every Vault, so they are made once in a process."""
    described = describe(_api())
    return described, render_docs(described)


def _describe_itself(api: FastAPI) -> None:
    described, page = _description()

    @api.get("/openapi.json", include_in_schema=False)
    async def get_openapi_json() -> JSONResponse:
        return JSONResponse(described)

    @api.get("/", include_in_schema=False)
    @api.get(PREFIX, include_in_schema=False)
    async def get_root() -> RedirectResponse:
        return RedirectResponse(f"{PREFIX}/", status_code=307)

    @api.get("/docs", include_in_schema=False)
    async def get_docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})

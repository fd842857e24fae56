"""The dashboard put together: its pages, its static files, and how what goes wrong looks."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from ledgix_vault.errors import NotFound, VaultError
from ledgix_vault.operations.steps.factors import ConfirmFirst
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.vault import Vault
from ledgix_vault.web import problems
from ledgix_vault.web.bare import bare_app
from ledgix_vault.web.dashboard.door import SignInNeeded
from ledgix_vault.web.dashboard.frame import render, statics
from ledgix_vault.web.dashboard.pages import (
    account,
    decisions,
    documents,
    events,
    judge,
    keys,
    kill_switch,
    limits,
    notifications,
    overview,
    people,
    playground,
    policies,
    policy_editor,
    policy_trials,
    requests,
    reviews,
    second_step,
    security,
    settings,
    sign_in,
    sign_on,
    sign_on_settings,
    slack,
    start,
    tools,
)
from ledgix_vault.web.dashboard.security import App, Guarded
from ledgix_vault.web.dashboard.words import RIGHTS
from ledgix_vault.web.problems import Problem
from ledgix_vault.worker import Worker

PREFIX = "/app"
PAGES = (
    sign_in,
    second_step,
    sign_on,
    overview,
    requests,
    reviews,
    policies,
    policy_editor,
    policy_trials,
    documents,
    tools,
    limits,
    playground,
    start,
    settings,
    decisions,
    judge,
    kill_switch,
    people,
    keys,
    sign_on_settings,
    notifications,
    account,
    security,
    slack,
    events,
)
"""What the dashboard has."""

FOREVER = "public, max-age=31536000, immutable"
HEADINGS = {403: "You may not do this", 404: "There is nothing here", 409: "Something changed meanwhile"}


def build_dashboard(vault: Vault, worker: Worker) -> App:
    """The application below `/app`."""
    return Guarded(dashboard_routes(vault, worker), vault.settings.public_url)


def dashboard_routes(vault: Vault, worker: Worker) -> FastAPI:
    """The pages without the guard around them."""
    app = bare_app(HANDLERS, "Ledgix")
    app.state.vault, app.state.worker = vault, worker
    for page in PAGES:
        app.include_router(page.router)
    app.state.paths = frozenset(getattr(route, "path", "") for page in PAGES for route in page.router.routes)
    app.add_api_route("/static/{name}", get_static, include_in_schema=False)
    return app


async def get_static(name: str) -> Response:
    """A file that pages load; its address changes with its content."""
    if name not in statics():
        raise NotFound()
    content, media_type, _ = statics()[name]
    return Response(content, media_type=media_type, headers={"Cache-Control": FOREVER})


async def _go_to_sign_in(request: Request, needed: SignInNeeded) -> Response:
    if not _wants_page(request):
        return Problem(401, "unauthenticated", "Sign in first.").response()
    return RedirectResponse(needed.location, status_code=303)


async def _vault_error(request: Request, error: VaultError) -> Response:
    return _page(request, problems.problem(error), await problems.answer_vault_error(request, error))


async def _http_error(request: Request, error: HTTPException) -> Response:
    found = problems.problem_of_status(error.status_code, error.detail, error.headers)
    return _page(request, found, found.response())


async def _validation_error(request: Request, error: RequestValidationError) -> Response:
    found = problems.problem_of_status(404, "There is no such page.")
    return _page(request, found, found.response())


async def _unexpected(request: Request, error: Exception) -> Response:
    found = problems.problem(VaultError(problems.OWN_FAULT))
    return _page(request, found, found.response())


async def _confirm_first(request: Request, needed: ConfirmFirst) -> Response:
    if not _wants_page(request):
        return problems.problem(needed).response()
    return RedirectResponse(security.confirm_location(request), status_code=303)


HANDLERS: dict[int | type[Exception], Any] = {
    SignInNeeded: _go_to_sign_in,
    ConfirmFirst: _confirm_first,
    VaultError: _vault_error,
    HTTPException: _http_error,
    RequestValidationError: _validation_error,
    Exception: _unexpected,
}


def _page(request: Request, found: Problem, plain: Response) -> Response:
    """What went wrong as a page, for whoever asked for one."""
    if not _wants_page(request):
        return plain
    session = getattr(request.state, "session", None)
    heading = HEADINGS.get(found.status, "This did not work")
    answer = render(
        request,
        "problem.html",
        member=session.member if session is not None else None,
        title=heading,
        status=found.status,
        problem=found,
        missing=_right(found),
    )
    answer.headers.update(found.headers)
    return answer


def _right(found: Problem) -> str:
    """The right that was missing, in words; "" where something else was wrong."""
    scope = found.extras.get("scope")
    return RIGHTS[Scope(scope)] if isinstance(scope, str) else ""


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")

"""What every page is made with: templates, the flash of a redirect, and the names that a page needs.

A page is `render(...)` with a template that extends `layout.html`; an action ends in `redirect(...)`.
"""

from __future__ import annotations

import base64
import json
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from ledgix_vault.errors import Invalid
from ledgix_vault.notices.visible import visible
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.people import Member
from ledgix_vault.vault import Vault
from ledgix_vault.web.api.context import TheVault, TheWorker
from ledgix_vault.web.dashboard import words
from ledgix_vault.web.dashboard.door import Form, SignedIn, SignedInHere, TheForm
from ledgix_vault.web.dashboard.navigation import navigation

__all__ = [
    "Caller",
    "Form",
    "SignedIn",
    "SignedInHere",
    "TheForm",
    "TheVault",
    "TheWorker",
    "flaws_of",
    "redirect",
    "render",
]

SAID = "__Host-ledgix-said"
LONGEST_SAID = 600
MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def render(
    request: Request, template: str, *, member: Member | None, title: str, status: int = 200, **values: Any
) -> Response:
    """A page. `title` is its heading and its name in the browser; `member` is None before anybody is signed in."""
    vault: Vault = request.app.state.vault
    said = _read_said(request.cookies.get(SAID, ""))
    session = getattr(request.state, "session", None)
    state = vault.store.tenant(member.tenant_id) if member is not None else None
    page = environment().get_template(template)
    html = page.render(
        title=title,
        member=member,
        session=session,
        waiting=getattr(request.state, "waiting", 0),
        tenant=state,
        standing=state.suspensions if state is not None else (),
        nav=navigation(member, request.scope["path"]) if member is not None else (),
        said=said,
        now=vault.clock(),
        public_url=vault.settings.public_url,
        path=request.scope["path"],
        position=getattr(request.state, "position", -1) if request.method == "GET" else None,
        **values,
    )
    answer = HTMLResponse(html, status_code=status)
    if said:
        answer.delete_cookie(SAID, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def redirect(path: str, said: str = "") -> Response:
    """To another page of ours (303), which then says `said` once."""
    answer = RedirectResponse(path, status_code=303)
    if said:
        text = base64.urlsafe_b64encode(json.dumps(said[:LONGEST_SAID]).encode()).decode()
        answer.set_cookie(SAID, text, max_age=60, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def flaws_of(error: Invalid) -> dict[str, str]:
    """The message of each field of a form, by the field's name: `$.name` and `name` are the same; "" is the form's."""
    found = {str(flaw.get("path", "")): str(flaw.get("message", "")) for flaw in error.problems} or {
        error.path: error.detail
    }
    return {path.removeprefix("$").removeprefix("."): message for path, message in found.items()}


@cache
def environment() -> Environment:
    """The templates, escaped, with nothing undefined."""
    made = Environment(
        loader=PackageLoader("ledgix_vault.web.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(words.FILTERS, visible=visible)
    made.globals.update(asset=asset, ago=words.ago, highlighted=words.highlighted)
    return made


@cache
def statics() -> dict[str, tuple[bytes, str, str]]:
    """Name → (content, media type, first characters of its hash) of every file that pages load."""
    found = {}
    for file in files("ledgix_vault.web.dashboard").joinpath("static").iterdir():
        kind = MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            content = file.read_bytes()
            found[file.name] = content, kind, sha256(content).hexdigest()[:12]
    return found


def asset(name: str) -> str:
    """The address of a static file: it changes with its content, so that browsers may keep it."""
    return f"/app/static/{name}?v={statics()[name][2]}"


def _read_said(cookie: str) -> str:
    try:
        said = json.loads(base64.urlsafe_b64decode(cookie)) if cookie else ""
    except ValueError:
        return ""
    return said if isinstance(said, str) else ""

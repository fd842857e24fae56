"""No page shows or changes anything of another tenant: its ids answer exactly like ids that nobody has."""

from __future__ import annotations

from uuid import UUID

import httpx2
import pytest

from forms import filled, forms_of
from ledgix_vault.tenancy.people import Role
from routes import GETS, POSTS, Route
from running_vault import PLAIN_HTTP
from scene import Scene, Side

SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
NOT_LOOKED_UP = {"version", "document_version", "tool_name"}  # in a form these are just words
NOBODY = "00000000-0000-7000-8000-000000000000"


def unknown_ids(side: Side) -> dict[str, str]:
    """Ids like theirs that nobody has."""
    return {name: _unknown(value) for name, value in side.ids.items()}


def _unknown(value: str) -> str:
    try:
        UUID(value)
    except ValueError:
        return value if value.isdigit() else f"no-{value}"
    return NOBODY


@pytest.fixture(scope="module")
def fields(scene: Scene) -> dict[str, dict[str, str]]:
    """What the forms of our pages send, by where they send it."""
    found: dict[str, dict[str, str]] = {}
    with httpx2.Client(verify=PLAIN_HTTP, base_url=scene.url, cookies=scene.cookies("owner")) as owner:
        for route in GETS:
            with owner.stream("GET", path := route.filled(scene.ours.ids)) as answer:
                if not answer.headers.get("content-type", "").startswith("text/html"):
                    continue
                for form in forms_of(answer.read().decode()):
                    found[form.action or path] = filled(form)
    return found


@pytest.mark.parametrize("role", [Role.OWNER, Role.REVIEWER, Role.DEVELOPER], ids=str)
@pytest.mark.parametrize("route", GETS + POSTS, ids=str)
def test_another_tenant_s_id_is_unknown(
    scene: Scene, fields: dict[str, dict[str, str]], route: Route, role: Role
) -> None:
    before = [side.tenant.log_size() for side in (scene.ours, scene.theirs)]
    form = fields.get(route.filled(scene.ours.ids), {}) if route.method == "POST" else {}
    named = {name for name, value in scene.ours.ids.items() if value in form.values()} - NOT_LOOKED_UP
    if not (named | set(route.parameters)) - {"secret"}:
        return
    unknown = unknown_ids(scene.theirs)
    with httpx2.Client(
        verify=PLAIN_HTTP, base_url=scene.url, cookies=scene.cookies(role), headers=SAME_ORIGIN
    ) as member:
        answers = []
        for ids in (scene.theirs.ids, unknown):
            theirs = {scene.ours.ids[name]: ids[name] for name in named}
            data = {field: theirs.get(value, value) for field, value in form.items()}
            answer = member.request(route.method, route.filled(ids), data=data or None)
            said = f"{answer.headers.get('location')} {answer.headers.get('content-type')} {answer.text}"
            for name in {*route.parameters, *named}:
                said = said.replace(ids[name], f"{{{name}}}")
            answers.append((answer.status_code, said))
    (status, page), nobodys = answers
    assert (status, page) == nobodys
    allowed = {404} if role is Role.OWNER else {403, 404}
    if route.method == "GET":
        allowed |= {303}  # to another page, whatever the id
    assert status in allowed, f"{named} {page}"
    assert [side.tenant.log_size() for side in (scene.ours, scene.theirs)] == before

"""Every page of the dashboard, asked by everybody: how it answers, and what each answer carries."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx2
import pytest

from ledgix_vault.tenancy.people import Role
from routes import GETS, Route
from running_vault import PLAIN_HTTP
from scene import Scene
from visits import get

POLICY = "Content-Security-Policy"


def is_guarded(answer: httpx2.Response) -> None:
    """The headers that every answer carries."""
    headers = answer.headers
    policy = {part.split()[0]: part.split()[1:] for part in headers[POLICY].split(";") if part.strip()}
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]
    assert policy["base-uri"] == ["'none'"]
    assert "unsafe" not in headers[POLICY]
    assert "*" not in headers[POLICY]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] in ("same-origin", "no-referrer", "strict-origin")
    assert "camera=()" in headers["permissions-policy"]
    assert headers["cache-control"] == "no-store"
    for cookie in headers.get_list("set-cookie"):
        assert cookie.startswith("__Host-")
        assert {"secure", "httponly", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
        assert re.search(r"samesite=(lax|strict)", cookie, re.IGNORECASE)


@pytest.mark.parametrize("role", [*Role, None], ids=str)
@pytest.mark.parametrize("route", GETS, ids=str)
def test_every_answer_is_guarded(scene: Scene, route: Route, role: Role | None) -> None:
    answer = get(scene, route, role)
    is_guarded(answer)
    match role, answer.status_code:
        case None, 303:
            assert answer.headers["location"].startswith("/app/sign-in")
        case None, _:
            assert answer.status_code == 200
            assert re.match("/app/(sign-in|join/)", answer.url.path), "seen by whoever isn't signed in"
        case Role.OWNER, _:
            assert answer.status_code in (200, 303), answer.text[:500]
        case _:
            assert answer.status_code in (200, 303, 403), answer.text[:500]


def test_over_tls_browsers_are_told_to_stay_there(new_scene: Callable[..., Scene]) -> None:
    scene = new_scene(furnished=False, public_url="https://vault.example")
    with httpx2.Client(verify=PLAIN_HTTP, base_url=scene.url, headers={"Accept": "text/html"}) as browser:
        for path, status in (("/app/sign-in", 200), ("/app/nothing", 404), ("/app/account", 303)):
            answer = browser.get(path)
            assert answer.status_code == status
            assert int(answer.headers["strict-transport-security"].removeprefix("max-age=")) >= 180 * 24 * 3600

"""No form of another origin does anything: neither by a page in a browser, nor with made-up headers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import pytest

from routes import POSTS, Route
from running_vault import PLAIN_HTTP
from scene import Scene
from visits import Visit
from watch import Watch

FOREIGN = [
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "none", "Origin": "null"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": ""},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=lambda each: "-".join(each.values()) or "empty")
@pytest.mark.parametrize("route", POSTS, ids=str)
def test_forged_posts_are_refused(scene: Scene, route: Route, headers: dict[str, str]) -> None:
    before = scene.ours.tenant.log_size()
    with httpx2.Client(verify=PLAIN_HTTP, base_url=scene.url, cookies=scene.cookies("owner")) as attacker:
        answer = attacker.post(route.filled(scene.ours.ids), headers=headers, data={"email": "a@b.example"})
    assert answer.status_code == 403, answer.text[:300]
    assert "set-cookie" not in answer.headers
    assert scene.ours.tenant.log_size() == before


@pytest.fixture(scope="module")
def elsewhere(scene: Scene) -> Iterator[str]:
    """Another origin on the same host (so cookies of SameSite=Lax or Strict travel), with a form for each POST."""

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            forms = "".join(
                f'<form method="post" action="{escape(scene.url + route.filled(scene.ours.ids))}">'
                f"<button>{escape(str(route))}</button></form>"
                for route in POSTS
            )
            page = f'<!doctype html><html lang="en"><title>A prize</title>{forms}'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Trap) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


def test_a_page_of_another_origin_can_t_post(scene: Scene, visit: Visit, watch: Watch, elsewhere: str) -> None:
    watch.expect(403, 404)  # the browser also asks the other origin for an icon
    before = scene.ours.tenant.log_size()
    page = visit("owner")
    for route in POSTS:
        page.goto(elsewhere)
        with page.expect_navigation() as navigation:
            page.get_by_role("button", name=str(route), exact=True).click()
        assert navigation.value.status == 403, route
    assert scene.ours.tenant.log_size() == before

"""How people look at the dashboard, and where what they saw is kept."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Page

from routes import Route
from running_vault import PLAIN_HTTP
from scene import Scene

SCREENSHOTS = Path(__file__).parents[2] / "artefacts" / "screenshots"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 2,
}
TALLEST = 4000
PATIENCE = 20_000.0  # milliseconds; the machine may be busy

Visit = Callable[..., Page]
Shot = Callable[[Page, str], None]


def shoot(page: Page, test: pytest.Item, name: str) -> None:
    """Keeps a screenshot of the whole page, in a directory for the test's file."""
    directory = SCREENSHOTS / test.path.stem.removeprefix("test_")
    words = re.sub(r"[^a-z0-9]+", "-", f"{test.name.removeprefix('test_')}-{name}".lower()).strip("-")
    page.evaluate("scrollTo(0, 0)")
    height = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST)
    width = page.evaluate("document.documentElement.clientWidth")
    clip = {"x": 0, "y": 0, "width": width, "height": height}
    page.screenshot(path=directory / f"{words}.png", full_page=True, clip=clip, animations="disabled")  # type: ignore[arg-type]


def get(scene: Scene, route: Route, role: str | None) -> httpx2.Response:
    """One answer, as a browser of this person gets it; of a stream only its head."""
    cookies = scene.cookies(role) if role else {}
    with (
        httpx2.Client(
            verify=PLAIN_HTTP, base_url=scene.url, cookies=cookies, headers={"Accept": "text/html"}
        ) as browser,
        browser.stream("GET", route.filled(scene.ours.ids)) as answer,
    ):
        if "event-stream" not in answer.headers.get("content-type", ""):
            answer.read()
        return answer

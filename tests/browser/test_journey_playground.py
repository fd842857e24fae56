"""The playground, the shell lines of the short path, and the kill switch that every open page tells of."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

import looks
from scene import Scene
from visits import Shot, Visit
from watch import Watch


@pytest.fixture(scope="module")
def scene(new_scene: Callable[..., Scene]) -> Scene:
    """Nothing there but people."""
    return new_scene(furnished=False)


@pytest.fixture
def page(visit: Visit) -> Iterator[Page]:
    return visit("owner", permissions=["clipboard-read", "clipboard-write"])


def register(scene: Scene) -> None:
    scene.ours.tenant.register_refunds()


def test_the_shell_lines_of_the_path_run(scene: Scene, page: Page) -> None:
    """Copied by their buttons; the key goes into the place that is marked."""
    register(scene)
    page.goto("/app/start")
    environment, call = (copied(page, text) for text in ("export LEDGIX", "curl"))
    environment = environment.replace("PUT-YOUR-KEY-HERE", scene.ours.tenant.agent.secret)
    ran = subprocess.run(["sh", "-c", f"{environment}\n{call}"], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(ran.stdout)["status"] == "approved"
    expect(page.get_by_text("asked by first-agent")).to_be_visible()  # by itself


def copied(page: Page, text: str) -> str:
    """What a snippet's button puts into the clipboard."""
    page.locator(".snippet", has_text=text).get_by_role("button").click()
    found: str = page.evaluate("navigator.clipboard.readText()")
    return found


def test_the_playground_tries_and_asks(scene: Scene, page: Page, shot: Shot, watch: Watch) -> None:
    watch.expect(422)
    register(scene)
    page.goto("/app/playground")
    page.get_by_label("Tool").fill("stripe_refund")
    page.get_by_role("textbox", name="Arguments").fill('{"amount": 4500,}')
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("Line 1, character 17")).to_be_visible()
    page.get_by_role("textbox", name="Arguments").fill('{"amount": 4500, "currency": "USD"}')
    before = scene.ours.tenant.log_size()
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_role("heading", name="It would be decided so")).to_be_visible()
    expect(page.locator("#result .badge", has_text="denied").first).to_be_visible()
    assert scene.ours.tenant.log_size() == before
    looks.is_accessible(page, "light")
    shot(page, "1 tried")
    page.get_by_role("textbox", name="Arguments").fill('{"amount": 45, "currency": "USD"}')
    page.get_by_role("button", name="Ask for real").click()
    expect(page.get_by_text("A token was issued")).to_be_visible()
    shot(page, "2 asked")
    page.get_by_role("link", name="See the request").click()
    expect(page.get_by_role("main")).to_contain_text("45.00 USD")


def test_what_is_stopped_is_said_on_every_page_at_once(scene: Scene, visit: Visit, shot: Shot) -> None:
    elsewhere, page = visit("auditor"), visit("owner")
    elsewhere.goto("/app/requests")
    page.goto("/app/settings/kill-switch")
    form = page.locator("form", has=page.get_by_label("Its name"))
    form.get_by_label("Its name").fill("billing-*")
    form.get_by_label("Why").fill("Refunds were paid twice.")
    form.get_by_label("Stop all its calls now").check()
    form.get_by_role("button", name="Stop it").click()
    banner = "Stopped: agent 'billing-*'."
    expect(page.locator("#standing")).to_contain_text(banner)
    expect(elsewhere.locator("#standing")).to_contain_text(banner)
    shot(page, "1 stopped")
    page.locator("summary", has_text="Release").click()
    page.get_by_label("Why it may go on").fill("It was mended.")
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_text("Nothing is stopped.")).to_be_visible()
    expect(elsewhere.locator("#standing")).not_to_contain_text("Stopped")

"""A developer makes a key, uses it, rotates it and revokes the old one; its secret is on one page alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from scene import TOOL, Scene
from visits import Shot, Visit
from wire import problem


@pytest.fixture(scope="module")
def scene(new_scene: Callable[..., Scene]) -> Scene:
    """A scene that these tests change."""
    return new_scene()


def test_a_key_from_its_making_to_its_end(scene: Scene, visit: Visit, shot: Shot) -> None:
    vault = scene.ours.tenant.vault
    page = visit("developer")
    page.goto("/app/settings/keys")
    expect(page.get_by_role("radio", name="reviewer")).to_have_count(0)  # nobody hands out what they lack
    page.get_by_label("What it is for").fill("invoice bot")
    page.get_by_label("For which agents").fill("invoice-*")
    page.get_by_role("button", name="Make the key").click()
    secret = page.locator(".copy code").inner_text()
    expect(page.get_by_role("button", name="Copy key")).to_be_visible()
    shot(page, "1 made")
    key = vault.key(secret)
    assert key.ask(TOOL, {"amount": 1}, agent_id="invoice-7")["request_id"]
    page.get_by_role("link", name="I have copied it").click()
    expect(page.get_by_role("row", name="invoice bot")).not_to_contain_text("never")  # it was used
    assert secret not in page.content()
    page.get_by_role("button", name="Change invoice bot").click()
    shot(page, "2 change")
    dialog = page.get_by_role("dialog", name="Change invoice bot")
    dialog.get_by_label("This key").select_option("ends in an hour")
    dialog.get_by_role("button", name="Rotate").click()
    fresh = vault.key(page.locator(".copy code").inner_text())
    for either in (key, fresh):
        assert either.ask(TOOL, {"amount": 1}, agent_id="invoice-7")["request_id"]
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("button", name="Change invoice bot").last.click()  # the older of the two
    dialog.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("status").get_by_text("is revoked")).to_be_visible()
    problem(key.get("/ledger"), 401, "unauthenticated")
    assert fresh.get("/ledger").status_code == 200


def test_the_list_follows_what_happens(scene: Scene, visit: Visit) -> None:
    page = visit("owner")
    page.goto("/app/settings/keys")
    made = scene.ours.tenant.full.post("/api-keys", {"name": "came by the API", "preset": "agent"}).json()
    row = page.get_by_role("row", name="came by the API")
    expect(row).to_be_visible()
    scene.ours.tenant.full.post(f"/api-keys/{made['key_id']}/revoke")
    expect(row).to_be_hidden()

"""Whoever has no JavaScript signs in, decides and signs out all the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from scene import PASSWORD, Scene, pending
from visits import Shot, Visit
from watch import Watch


@pytest.fixture(scope="module")
def scene(new_scene: Callable[..., Scene]) -> Scene:
    """A scene that these tests change."""
    return new_scene()


def test_sign_in_decide_sign_out(scene: Scene, visit: Visit, shot: Shot) -> None:
    side = scene.ours
    asked = pending(side, "A-2001", 310)
    page = visit(java_script_enabled=False)
    page.goto(f"/app/reviews/{asked}")
    page.get_by_label("E-mail").fill(side.people["reviewer"].email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{scene.url}/app/reviews/{asked}")
    shot(page, "the review")
    page.get_by_label("Reason").fill("The parcel came back.")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_role("status").get_by_text("Approved.")).to_be_visible()
    answer = side.tenant.agent.status(asked)
    assert (answer["status"], type(answer["token"])) == ("approved", str)
    page.get_by_role("banner").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(f"/app/reviews/{asked}")
    expect(page).to_have_url(f"{scene.url}/app/sign-in?next=%2Fapp%2Freviews%2F{asked}")


def test_a_wrong_password_says_so_and_keeps_the_address(scene: Scene, visit: Visit, watch: Watch) -> None:
    watch.expect(422)
    page = visit(java_script_enabled=False)
    page.goto("/app/sign-in")
    page.get_by_label("E-mail").fill(email := scene.ours.people["auditor"].email)
    page.get_by_label("Password", exact=True).fill("something else")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("wrong")
    expect(page.get_by_label("E-mail")).to_have_value(email)
    expect(page.get_by_label("Password", exact=True)).to_have_value("")

"""A reviewer approves on a phone: an agent waits, a mail comes, its link is opened; decided, it goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from vault_testing.receivers import Mailbox, mail_server

from clients import own_clients
from ledgix import Clearance
from running_vault import eventually, succeeded
from scene import PASSWORD, TOOL, Scene
from visits import Shot, Visit
from watch import Watch

CALL = {"order_id": "A-3001", "amount": 640, "currency": "USD"}


@pytest.fixture(scope="module")
def mailbox() -> Iterator[tuple[Mailbox, dict[str, Any]]]:
    with mail_server() as box_and_settings:
        yield box_and_settings


@pytest.fixture(scope="module")
def scene(new_scene: Callable[..., Scene], mailbox: tuple[Mailbox, dict[str, Any]]) -> Scene:
    """The scene, where the reviewer is told by mail."""
    made = new_scene(**mailbox[1])
    told = {"email": {"enabled": True, "recipients": [made.ours.people["reviewer"].email]}}
    succeeded(made.ours.tenant.full.put("/notification-settings", told))
    return made


@pytest.fixture
def waiting(scene: Scene) -> Iterator[Future[Clearance]]:
    """An agent that waits for its answer, by the published way of waiting."""
    with own_clients(scene.ours.tenant) as connect, ThreadPoolExecutor(1) as agent:
        client = connect()
        yield agent.submit(client.request_clearance, TOOL, CALL, agent_id="billing-bot")


def test_a_reviewer_approves_on_a_phone(
    scene: Scene, phone: Page, shot: Shot, waiting: Future[Clearance], mailbox: tuple[Mailbox, dict[str, Any]]
) -> None:
    reviewer = scene.ours.people["reviewer"]
    asked = eventually(lambda: _asked(scene))
    mail = eventually(lambda: _mail_about(asked, mailbox[0]))
    link = re.search(rf"{scene.url}/app/reviews/{asked}", mail)
    assert link is not None, mail
    phone.goto(link[0])
    shot(phone, "1 sign in")
    phone.get_by_label("E-mail").fill(reviewer.email)
    phone.get_by_label("Password", exact=True).fill(PASSWORD)
    phone.get_by_role("button", name="Sign in").tap()
    expect(phone).to_have_url(f"{scene.url}/app/reviews/{asked}")
    expect(phone.get_by_role("main")).to_contain_text("640.00")
    shot(phone, "2 the review")
    phone.get_by_label("Reason").fill("Photos show the wrong model.")
    assert not waiting.done()
    approve = phone.get_by_role("button", name="Approve", exact=True)
    assert (approve.bounding_box() or {})["height"] >= 40, "too small for a finger"
    approve.tap()
    expect(phone.get_by_role("status").get_by_text("Approved.")).to_be_visible()
    shot(phone, "3 approved")
    clearance = waiting.result(timeout=60)
    assert clearance.is_approved
    assert clearance.request_id == asked
    scene.ours.tenant.gateway.consume(str(clearance.token), tool_name=TOOL, tool_args=CALL)
    (decided, *_) = scene.ours.tenant.events("review.decided")
    assert decided["intent"]["decider"]["type"] == "person"
    assert decided["action_metadata"]["assurance"] == "password"


def test_the_queue_follows_what_happens(scene: Scene, visit: Visit, shot: Shot) -> None:
    """Without a reload: a call that comes appears, one that is decided elsewhere goes."""
    page = visit("reviewer")
    page.goto("/app/reviews")
    asked = scene.ours.tenant.agent.ask(TOOL, {"order_id": "A-3002", "amount": 111}, agent_id="billing-bot")
    item = page.get_by_role("link", name="A-3002")
    expect(item).to_be_visible()
    shot(page, "it came")
    scene.ours.tenant.reviewer.decide(asked["request_id"], approved=False, reason="No.")
    expect(item).to_have_count(0)


def test_two_reviewers_at_once_one_wins_and_the_other_sees_it(scene: Scene, visit: Visit, watch: Watch) -> None:
    watch.expect(409)
    asked = scene.ours.tenant.agent.ask(TOOL, {"order_id": "A-3003", "amount": 222}, agent_id="billing-bot")
    pages = [visit("reviewer"), visit("owner")]
    for page in pages:
        page.goto(f"/app/reviews/{asked['request_id']}")
    first, second = pages
    first.get_by_role("button", name="Approve", exact=True).click()
    expect(first.get_by_role("status").get_by_text("Approved.")).to_be_visible()
    second.get_by_role("button", name="Deny", exact=True).click()
    expect(second.get_by_role("alert")).to_contain_text("already")
    expect(second.get_by_role("main")).to_contain_text("Rosa Weber")


def _asked(scene: Scene) -> str | None:
    pending = scene.ours.tenant.reviewer.read("/reviews", status="pending")["reviews"]
    found: list[str] = [each["request_id"] for each in pending if each["tool_args"] == CALL]
    return found[0] if found else None


def _mail_about(request_id: str, box: Mailbox) -> str | None:
    texts = [str(part.get_content()) for _, mail in box.received if (part := mail.get_body(("plain",)))]
    return next((text for text in texts if request_id in text), None)

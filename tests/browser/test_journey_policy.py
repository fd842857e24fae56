"""An editor turns a PDF into an active policy: upload, choose sentences, draft, confirm, put in force, decide by it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fpdf import FPDF
from playwright.sync_api import expect

from scene import Scene
from visits import Shot, Visit

HANDBOOK = (
    "1. Refunds\n\nRefunds must not exceed $1000. Refunds over $100 need review. Be kind to every customer.",
    "2. Gifts\n\nA voucher is sent when a parcel is late by more than ten days.",
)
TOOL = "stripe_refund"


@pytest.fixture(scope="module")
def scene(new_scene: Callable[..., Scene]) -> Scene:
    """People, and nothing else yet."""
    return new_scene(furnished=False)


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    made = FPDF()
    made.set_font("helvetica", size=11)
    for text in HANDBOOK:
        made.add_page()
        made.multi_cell(0, 6, text)
    path = tmp_path / "Refund handbook.pdf"
    path.write_bytes(bytes(made.output()))
    return path


def test_from_a_pdf_to_a_policy_in_force(scene: Scene, visit: Visit, shot: Shot, pdf: Path) -> None:
    page = visit("policy_editor")
    page.goto("/app/documents")
    shot(page, "1 no document yet")
    page.get_by_label("File", exact=True).set_input_files(pdf)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Refund handbook.pdf")
    page.get_by_label("Tools that it is about").fill(TOOL)
    page.get_by_role("button", name="Read it again").click()
    for sentence in ("Refunds must not exceed $1000.", "Refunds over $100 need review."):
        page.get_by_label(sentence).check()
    shot(page, "2 sentences chosen")
    page.get_by_role("button", name="Write a policy from what is ticked").click()

    expect(page.get_by_label("Sentences")).to_have_value(
        "Refunds must not exceed $1000.\nRefunds over $100 need review."
    )
    page.get_by_label("Name", exact=True).fill("refunds")
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("heading", name="What the Vault understood")).to_be_visible()
    shot(page, "3 checked")
    page.get_by_role("button", name="Save as draft").click()

    expect(page).to_have_url(f"{scene.url}/app/policies/refunds/versions/1")
    page.get_by_label("Settled").check()
    page.get_by_label("I have read what the Vault understood").check()
    shot(page, "4 the draft")
    page.get_by_role("button", name="Confirm version 1").click()
    expect(page.get_by_role("heading", name="Put it in force")).to_be_visible()
    assert _ask(scene, 45)["reason_code"] == "no_matching_policy", "it was only confirmed"
    page.locator("summary").get_by_text("Put in force").click()
    shot(page, "5 confirmed")
    page.get_by_role("button", name="Put version 2 in force now").click()
    expect(page.get_by_role("status").get_by_text("in force")).to_be_visible()
    shot(page, "6 in force")

    decided = {amount: _ask(scene, amount)["status"] for amount in (45, 450, 4500)}
    assert decided == {45: "approved", 450: "pending_review", 4500: "denied"}
    (activated, *_) = scene.ours.tenant.events("policy.activated")
    assert activated["intent"]["decider"]["type"] == "person"


def _ask(scene: Scene, amount: int) -> dict[str, object]:
    return scene.ours.tenant.agent.ask(TOOL, {"amount": amount, "currency": "USD"})

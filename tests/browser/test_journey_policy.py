"""An editor turns a PDF into a policy in force; and the screens on the way, with a hand on each control."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fpdf import FPDF
from playwright.sync_api import Page, expect

from scene import TOOL, Scene
from visits import Shot, Visit
from watch import Watch

PARAGRAPHS = (
    "1. Small parcels",
    "Refunds must not exceed $60. Amounts above 30 USD need review.",
    "We are kind to our customers.",
)


@pytest.fixture(scope="module")
def scene(new_scene: Callable[..., Scene]) -> Scene:
    """A scene that these tests change."""
    return new_scene()


@pytest.fixture
def pdf(tmp_path: Path) -> Path:
    page = FPDF()
    page.set_font("helvetica", size=11)
    page.add_page()
    page.multi_cell(0, 6, "\n\n".join(PARAGRAPHS))
    path = tmp_path / "Parcel policy.pdf"
    page.output(str(path))
    return path


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_an_editor_turns_a_pdf_into_an_active_policy(
    scene: Scene, visit: Visit, shot: Shot, pdf: Path, scripts: bool
) -> None:
    page = visit("policy_editor", java_script_enabled=scripts)
    name = f"parcel-policy-{'a' if scripts else 'b'}"
    _upload(page, pdf)
    expect(page.get_by_role("heading", level=1)).to_have_text("Parcel policy.pdf")
    page.get_by_label("Tools that it is about").fill("parcel_refund")
    page.get_by_role("button", name="Read it again").click()
    shot(page, "1 its text")
    for sentence in ("Refunds must not exceed $60.", "Amounts above 30 USD need review."):
        page.get_by_label(sentence).check()
    page.get_by_role("button", name="Write a policy from what is ticked").click()
    expect(page.get_by_label("Name")).to_have_value("parcel-policy")
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("Denied if the amount is more than 60 USD.")).to_be_visible()
    shot(page, "2 what was understood")
    page.get_by_role("button", name="Save as draft").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"{name}, version 1")
    page.get_by_label("Settled: the rules say all that it says").check()
    page.get_by_label("I have read what the Vault understood").check()
    shot(page, "3 confirm")
    page.get_by_role("button", name="Confirm version 1").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("version 2")
    page.locator("summary", has_text="Put in force").click()
    shot(page, "4 what changes from now on")
    page.get_by_role("button", name="Put version 2 in force now").click()
    expect(page.get_by_role("heading", name="In force: version 2")).to_be_visible()
    ask = scene.ours.tenant.agent.ask
    verdicts = [ask("parcel_refund", {"amount": amount, "currency": "USD"})["status"] for amount in (20, 45, 70)]
    assert verdicts == ["approved", "pending_review", "denied"]
    (active, *_) = scene.ours.tenant.events("policy.activated")
    assert active["intent"]["decider"]["type"] == "person"


def test_the_confirm_screen_shows_each_sentence_beside_what_it_does(
    scene: Scene, visit: Visit, shot: Shot, watch: Watch
) -> None:
    watch.expect(422)  # confirmed without having read it
    policy_id = "confirmable"
    rules = ["Refunds must not exceed $500", "Be kind to customers.", "Refunds must not exceed $100 per day"]
    scene.ours.tenant.full.post(f"/policies/{policy_id}/versions", {"rules": rules, "tools": ["confirm_refund"]})
    page = visit("policy_editor")
    page.goto(f"/app/policies/{policy_id}/versions/1")
    understood = page.get_by_role("listitem").filter(has_text="Refunds must not exceed $500").first
    expect(understood).to_contain_text("Denied if the amount is more than 500 USD.")
    expect(understood).to_contain_text("amount = 500.01 denied")
    kind = page.get_by_role("listitem").filter(has_text="Be kind to customers.").first
    expect(kind).to_contain_text("a person looks at every call")
    confirm = page.get_by_role("button", name="Confirm version 1")
    confirm.click()
    expect(page.get_by_label("I have read what the Vault understood")).not_to_be_checked()
    expect(page.get_by_role("heading", level=1)).to_contain_text("draft")
    kind.get_by_label("Set aside: this says nothing about calls").check()
    page.get_by_label("I have read what the Vault understood").check()
    confirm.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("version 2 confirmed")
    expect(kind).to_contain_text("does not apply to calls")
    shot(page, "confirmed")
    page.locator("summary", has_text="Put in force").click()
    expect(page.get_by_text("so a person will look at every one of these calls")).to_be_visible()


def test_a_simulation_shows_how_far_it_is_and_what_would_change(scene: Scene, visit: Visit, shot: Shot) -> None:
    scene.ours.tenant.agent.ask(TOOL, {"order_id": "A-9001", "amount": 640, "currency": "USD"}, agent_id="billing-bot")
    page = visit("policy_editor")
    page.goto(f"/app/policies/{scene.ours.ids['policy_id']}/simulation")
    page.get_by_label("over the last").select_option("100")
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("Requests looked at")).to_be_visible()
    expect(page.get_by_role("img", name="Calls whose verdict would change")).to_be_visible()
    expect(page.get_by_role("region", name="Calls whose verdict would change")).to_contain_text(TOOL)
    assert "last=100" in page.url
    shot(page, "what would change")


def _upload(page: Page, file: Path) -> None:
    page.goto("/app/documents")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Upload").click()
    page.wait_for_url("**/app/documents/*")

"""The first request in five minutes: a fresh Vault, its owner, a key, a policy, and the shown lines run as they are."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from scene import Scene
from visits import Shot


@pytest.fixture(scope="module")
def scene(new_scene: Callable[..., Scene]) -> Scene:
    """A Vault as `init` makes it; the tenant that it printed has an owner and one key."""
    return new_scene(furnished=False)


def test_the_first_request(scene: Scene, page: Page, shot: Shot, tmp_path: Path) -> None:
    printed = scene.vault.printed
    page.goto("/app/")
    page.get_by_label("E-mail").fill(printed["email"])
    page.get_by_label("Password", exact=True).fill(printed["password"])
    page.get_by_role("button", name="Sign in").click()
    shot(page, "1 an empty overview")
    page.get_by_role("main").get_by_role("link", name=re.compile("started|first", re.IGNORECASE)).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Getting started")
    shot(page, "2 four steps")

    page.get_by_role("button", name="Make the key").click()
    environment = page.get_by_role("region", name="Make a key").locator("pre").inner_text()
    assert "LEDGIX_VAULT_API_KEY=lgx_" in environment
    shot(page, "3 the key")
    page.get_by_role("link", name="I have copied them").click()
    page.locator("form", has_text="stripe_refund").get_by_role("button", name="Use this").click()
    expect(page.get_by_role("status").get_by_text("is in force")).to_be_visible()
    shot(page, "4 a policy")

    expect(page.get_by_text("Waiting for the first request")).to_be_visible()
    python = page.locator("pre", has_text="import ledgix").inner_text()
    assert run(environment, python, tmp_path) == "done\n"
    expect(page.get_by_text("asked by first-agent")).to_be_visible()  # by itself
    shot(page, "5 it arrived")
    page.get_by_role("link", name="See all of it").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("stripe_refund")
    expect(page.get_by_role("main")).to_contain_text("45.00 USD")
    key = scene.vault.key(printed["api_key"])
    (decided,) = [entry for entry in key.read("/ledger")["entries"] if entry["kind"] == "clearance.decided"]
    assert (decided["approved"], decided["agent_id"]) == (True, "first-agent")


def run(environment: str, python: str, directory: Path) -> str:
    """What the shown lines print, pasted into a shell and a file."""
    (directory / "first.py").write_text(python)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LEDGIX_", "VAULT_"))}
    commands = f"{environment}\n{sys.executable} first.py\n"
    done = subprocess.run(
        ["sh", "-ec", commands], cwd=directory, env=inherited, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

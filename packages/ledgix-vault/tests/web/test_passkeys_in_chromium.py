"""Passkeys in a real browser: Chromium with a virtual authenticator (WebAuthn's WebDriver extension over CDP)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright
from vault_testing.house import PASSWORD, House, Template
from vault_testing.sign_in import code_of

from ledgix_vault.tenancy.people import Role
from ledgix_vault.web.app import build_app
from ledgix_vault.worker import Worker

EMAIL = "reviewer@example.com"
SECURITY = "/app/account/security"


@dataclass
class Place:
    """A Vault that listens on localhost, and the browser in front of it."""

    house: House
    url: str
    browser: Browser

    @contextlib.contextmanager
    def page(self, **device: bool) -> Iterator[Page]:
        """A fresh browser profile; with `device`, an authenticator of these properties."""
        with contextlib.closing(self.browser.new_context(base_url=self.url)) as context:
            page = context.new_page()
            page.set_default_timeout(10_000)
            page.goto("/app/sign-in")
            if device:
                add_authenticator(page, **device)
            yield page


def add_authenticator(page: Page, *, is_user_verified: bool) -> tuple[Any, str]:
    """(CDP session, id) of an authenticator like that of a laptop."""
    devices = page.context.new_cdp_session(page)
    devices.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": is_user_verified,
        "automaticPresenceSimulation": True,
    }
    return devices, devices.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        yield playwright.chromium.launch(executable_path=path, args=arguments)


@pytest.fixture
def place(sqlite_template: Template, chromium: Browser) -> Iterator[Place]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        url = f"http://localhost:{listening.getsockname()[1]}"
        with sqlite_template.copy(public_url=url) as house, serving(house, listening):
            yield Place(house, url, chromium)


@contextlib.contextmanager
def serving(house: House, listening: socket.socket) -> Iterator[None]:
    """The application on this socket, in a thread with an event loop of its own; one reviewer is there."""
    app = build_app(house.core, Worker(house.core, cast("Any", house.cells)))
    server = uvicorn.Server(uvicorn.Config(cast("Any", app), log_level="error", lifespan="off"))
    ready = threading.Event()

    async def serve() -> None:
        await house.member(Role.REVIEWER, EMAIL)
        ready.set()
        await server.serve(sockets=[listening])

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(20)
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(20)


def sign_in(page: Page) -> None:
    page.goto(f"/app/sign-in?next={SECURITY}")
    page.get_by_label("E-mail").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def add_passkey(page: Page, name: str) -> None:
    sign_in(page)
    page.get_by_label("Name").last.fill(name)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Keep these ten codes")).to_be_visible()
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text(name, exact=True)).to_be_visible()


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto(f"/app/sign-in?next={SECURITY}")


def test_a_passkey_is_made_then_signs_in_alone_and_after_a_password(place: Place) -> None:
    with place.page(is_user_verified=True) as page:
        add_passkey(page, "Laptop")
        sign_out(page)
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", name="Sign-in and security")).to_be_visible()
        sign_out(page)
        sign_in(page)
        expect(page.get_by_role("heading", name="One more step")).to_be_visible()
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", name="Sign-in and security")).to_be_visible()
        page.goto("/app/account")
        expect(page.get_by_role("cell", name="second factor").first).to_be_visible()


def test_a_device_that_did_not_verify_its_owner_signs_nobody_in(place: Place) -> None:
    with place.page() as page:
        devices, device = add_authenticator(page, is_user_verified=True)
        add_passkey(page, "Laptop")
        sign_out(page)
        devices.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_text("No passkey was used. Try again.")).to_be_visible()


def test_a_copied_key_whose_counter_stands_still_is_refused(place: Place) -> None:
    with place.page() as page:
        devices, device = add_authenticator(page, is_user_verified=True)
        add_passkey(page, "Laptop")
        sign_out(page)
        (copied,) = devices.send("WebAuthn.getCredentials", {"authenticatorId": device})["credentials"]
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_role("heading", name="Sign-in and security")).to_be_visible()
        sign_out(page)
        devices.send("WebAuthn.clearCredentials", {"authenticatorId": device})
        devices.send("WebAuthn.addCredential", {"authenticatorId": device, "credential": {**copied, "signCount": 0}})
        page.get_by_role("button", name="Use a passkey").click()
        expect(page.get_by_text("was not used as it should be")).to_be_visible()


def test_the_same_device_gets_no_second_passkey(place: Place) -> None:
    with place.page(is_user_verified=True) as page:
        add_passkey(page, "Laptop")
        page.get_by_label("Name").last.fill("Again")
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_text("This device has a passkey for you already.")).to_be_visible()


def test_an_app_is_added_and_asked_for_without_any_script(place: Place) -> None:
    with contextlib.closing(place.browser.new_context(base_url=place.url, java_script_enabled=False)) as context:
        page = context.new_page()
        sign_in(page)
        page.get_by_role("button", name="Add a passkey").click()
        expect(page.get_by_text("Passkeys need JavaScript")).to_be_visible()
        page.get_by_role("button", name="Add an app").click()
        secret = page.locator("code").inner_text().replace(" ", "")
        page.get_by_label("Six digits").fill(code_of(place.house, secret))
        page.get_by_role("button", name="Add the app").click()
        page.get_by_role("link", name="I have kept them").click()
        sign_out(page)
        place.house.clock.advance(60)
        sign_in(page)
        page.get_by_label("Code from your app").fill(code_of(place.house, secret))
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_role("heading", name="Sign-in and security")).to_be_visible()

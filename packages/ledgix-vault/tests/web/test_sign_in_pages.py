"""Signing in beyond a password, through the pages: second step, security page, single sign-on, what a tenant asks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from vault_testing.fake_provider import FakeProvider, fake_provider
from vault_testing.house import PASSWORD, House
from vault_testing.invariants import check_invariants
from vault_testing.sign_in import code_of
from vault_testing.soft_passkey import SoftPasskey
from vault_testing.visitor import ORIGIN, Visitor, signed_in, text_of, visiting

from ledgix_vault.tenancy.people import Member, Role
from ledgix_vault.tenancy.sessions import FRESH

pytestmark = pytest.mark.anyio
SECURITY = "/app/account/security"
STEP = "/app/sign-in/second-factor?next=%2Fapp%2Faccount"


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with fake_provider() as running:
        yield running


@pytest.fixture
def vault(new_vault: Callable[..., House], provider: FakeProvider) -> Iterator[House]:
    house = new_vault(public_url=ORIGIN, sign_on_hosts=f"127.0.0.1:{provider.port}")
    yield house
    check_invariants(house, by_own_check=house.is_sqlite)


async def add_app(house: House, visitor: Visitor) -> tuple[str, list[str]]:
    """(secret, recovery codes), as the pages show them."""
    assert (await visitor.post(f"{SECURITY}/app")).headers["location"] == f"{SECURITY}/app"
    page = await visitor.get(f"{SECURITY}/app")
    assert "<svg" in page.text
    assert "style=" not in page.text
    secret = re.findall(r"<code>([A-Z2-7 ]{32,})</code>", page.text)[0].replace(" ", "")
    wrong = await visitor.post(f"{SECURITY}/app/confirm", code="000000")
    assert (wrong.status_code, "not the one that the app should show" in text_of(wrong)) == (422, True)
    added = await visitor.post(f"{SECURITY}/app/confirm", code=code_of(house, secret))
    codes = re.findall(r"\b[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}\b", text_of(added))
    house.clock.advance(60)
    return secret, codes


async def half_signed_in(visitor: Visitor, member: Member) -> httpx.Response:
    answer = await visitor.post("/app/sign-in", email=member.email, password=PASSWORD, next="/app/account")
    assert answer.headers["location"] == STEP
    return answer


async def test_an_app_is_added_and_asked_for_at_the_next_sign_in(vault: House) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, member), visiting(vault) as elsewhere:
        secret, codes = await add_app(vault, visitor)
        assert len(set(codes)) == 10
        assert "10 left" in text_of(await visitor.get(SECURITY))
        await half_signed_in(elsewhere, member)
        assert (await elsewhere.get("/app/account")).status_code == 303  # half a session opens nothing
        assert "Code from your app" in text_of(await elsewhere.get(STEP))
        wrong = await elsewhere.post("/app/sign-in/second-factor", code="000000", next="/app/account")
        assert (wrong.status_code, "This code is wrong" in text_of(wrong)) == (422, True)
        right = await elsewhere.post("/app/sign-in/second-factor", code=code_of(vault, secret), next="/app/account")
        assert right.headers["location"] == "/app/account"
        assert member.email in text_of(await elsewhere.get("/app/account"))


async def test_a_recovery_code_opens_and_is_gone(vault: House) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, member), visiting(vault) as elsewhere:
        _, codes = await add_app(vault, visitor)
        await half_signed_in(elsewhere, member)
        await elsewhere.post("/app/sign-in/second-factor", code=codes[0], next="/app/account")
        assert "9 left" in text_of(await elsewhere.get(SECURITY))


async def test_the_second_step_leads_nowhere_else_and_without_the_first_to_the_door(vault: House) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, member), visiting(vault) as elsewhere:
        secret, _ = await add_app(vault, visitor)
        for answer in (await elsewhere.get(STEP), await elsewhere.post("/app/sign-in/second-factor", code="123456")):
            assert answer.headers["location"] == "/app/sign-in"
        await half_signed_in(elsewhere, member)
        right = await elsewhere.post(
            "/app/sign-in/second-factor", code=code_of(vault, secret), next="https://evil.example"
        )
        assert right.headers["location"] == "/app/"


async def test_who_has_not_just_shown_who_they_are_is_asked_and_comes_back(vault: House) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        secret, _ = await add_app(vault, visitor)
        vault.clock.advance(FRESH / 1_000_000)
        asked = await visitor.post(f"{SECURITY}/app/remove")
        assert asked.headers["location"] == f"{SECURITY}/confirm?next=%2Fapp%2Faccount%2Fsecurity"
        wrong = await visitor.post(f"{SECURITY}/confirm", code="000000", next=SECURITY)
        assert wrong.status_code == 422
        done = await visitor.post(f"{SECURITY}/confirm", code=code_of(vault, secret), next=SECURITY)
        assert done.headers["location"] == SECURITY
        await visitor.post(f"{SECURITY}/app/remove")
        assert "The app was removed." in text_of(await visitor.get(SECURITY))


async def test_passkeys_are_added_named_used_and_removed(vault: House) -> None:
    device = SoftPasskey(ORIGIN, "vault.test")
    async with signed_in(vault, Role.REVIEWER) as (visitor, member), visiting(vault) as elsewhere:
        begun = (await visitor.post(f"{SECURITY}/passkeys/options")).json()
        made = {"ceremony": begun["ceremony"], "credential": device.create(begun["options"]), "name": "Blue key"}
        assert "Keep these ten codes" in text_of(await visitor.post(f"{SECURITY}/passkeys", **made))
        page = await visitor.get(SECURITY)
        assert "Blue key" in text_of(page)
        place = re.findall(r'action="([^"]+)/rename"', page.text)[0]
        await visitor.post(f"{place}/rename", name="Old key")
        assert "Old key" in text_of(await visitor.get(SECURITY))
        begun = (await elsewhere.post("/app/sign-in/passkey/options")).json()
        shown = {"ceremony": begun["ceremony"], "credential": device.get(begun["options"]), "next": "/app/account"}
        assert (await elsewhere.post("/app/sign-in/passkey", **shown)).headers["location"] == "/app/account"
        assert member.email in text_of(await elsewhere.get("/app/account"))
        replayed = await elsewhere.post("/app/sign-in/passkey", **shown)
        assert replayed.headers["location"] == "/app/sign-in"
        await visitor.post(f"{place}/remove")
        assert "Old key" not in text_of(await visitor.get(SECURITY)).replace("The passkey was removed.", "")


async def test_another_tenants_people_reach_no_passkey_of_ours(vault: House) -> None:
    device = SoftPasskey(ORIGIN, "vault.test")
    async with (
        signed_in(vault, Role.REVIEWER) as (visitor, _),
        signed_in(vault, Role.OWNER, email="boss@example.com", tenant=1) as (stranger, _),
    ):
        begun = (await visitor.post(f"{SECURITY}/passkeys/options")).json()
        credential = device.create(begun["options"])
        stolen = await stranger.post(f"{SECURITY}/passkeys", ceremony=begun["ceremony"], credential=credential)
        assert stolen.status_code == 422
        await visitor.post(f"{SECURITY}/passkeys", ceremony=begun["ceremony"], credential=credential)
        place = f"{SECURITY}/passkeys/{json.loads(credential)['id']}"
        unknown = f"{SECURITY}/passkeys/AAAA"
        for there in (place, unknown):
            assert (await stranger.post(f"{there}/rename", name="Mine")).status_code == 404
            assert (await stranger.post(f"{there}/remove")).status_code == 404


async def test_a_tenant_that_asks_for_a_second_factor_leads_to_one_first(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        await visitor.post("/app/settings/second-factor", require_second_factor="on")
        for path in ("/app/account", "/app/settings/people", "/app/settings/single-sign-on"):
            assert (await visitor.get(path)).headers["location"] == SECURITY
        plain = await visitor.get("/app/events", headers={"Accept": "text/event-stream"})
        assert plain.status_code == 401
        assert "acme asks its members for a second factor" in text_of(await visitor.get(SECURITY))
        await add_app(vault, visitor)
        assert (await visitor.get("/app/account")).status_code == 200
        refused = await visitor.post(f"{SECURITY}/app/remove")
        assert (refused.status_code, "add another one first" in text_of(refused)) == (422, True)


async def offer(visitor: Visitor, issuer: str, **changes: str) -> httpx.Response:
    form = {
        "enabled": "on",
        "issuer": issuer,
        "client_id": "ledgix",
        "client_secret": "hidden-secret",
        "allowed_domains": "example.com\nexample.org",
        "default_role": "auditor",
    }
    return await visitor.post("/app/settings/single-sign-on", **(form | changes))


async def test_an_owner_sets_a_provider_and_its_secret_shows_nowhere(vault: House, provider: FakeProvider) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _), signed_in(vault, Role.AUDITOR) as (auditor, _):
        wrong = await offer(visitor, provider.issuer, allowed_domains="not a domain")
        assert (wrong.status_code, "must be a domain" in text_of(wrong)) == (422, True)
        assert (await offer(visitor, provider.issuer)).status_code == 303
        page = await visitor.get("/app/settings/single-sign-on")
        assert provider.issuer in page.text
        assert "example.org" in page.text
        assert "hidden-secret" not in page.text
        assert f"{ORIGIN}/app/sign-in/single-sign-on/back" in page.text
        before = vault.core.store.tenant(vault.owner.tenant_id).single_sign_on
        await offer(visitor, provider.issuer, client_secret="", default_role="")  # keeps the secret
        after = vault.core.store.tenant(vault.owner.tenant_id).single_sign_on
        assert (after.sealed_secret, after.default_role) == (before.sealed_secret, None)
        for path in ("/app/settings/single-sign-on",):
            assert (await auditor.get(path)).status_code == 403
            assert (await offer(auditor, provider.issuer)).status_code == 403


async def test_somebody_comes_by_single_sign_on(vault: House, provider: FakeProvider) -> None:
    async with signed_in(vault, Role.OWNER) as (owner, _), visiting(vault) as visitor, visiting(vault) as thief:
        await offer(owner, provider.issuer)
        unknown = await visitor.post("/app/sign-in/single-sign-on", organisation="me@nowhere.example")
        assert (unknown.status_code, "No organisation here" in text_of(unknown)) == (422, True)
        form = {"organisation": "me@example.com", "next": "/app/account"}
        away = await visitor.post("/app/sign-in/single-sign-on", **form)
        assert f"Go to 127.0.0.1:{provider.port}" in text_of(away)
        url = re.findall(r'href="(http://127[^"]+)"', away.text)[0].replace("&amp;", "&")
        assert parse_qs(urlsplit(url).query)["redirect_uri"] == [f"{ORIGIN}/app/sign-in/single-sign-on/back"]
        state = provider.will_say(url, vault.clock(), email="me@example.com")
        back = f"/app/sign-in/single-sign-on/back?code=c&state={state}&iss={provider.issuer}"
        stolen = await thief.get(back)  # another browser: no cookie of this sign-in
        assert (stolen.status_code, "begun in another browser" in text_of(stolen)) == (401, True)
        arrived = await visitor.get(back, headers={"Sec-Fetch-Site": "cross-site"})
        assert arrived.headers["location"] == "/app/account"
        assert "me@example.com · auditor of acme" in text_of(await visitor.get("/app/account"))
        security = text_of(await visitor.get(SECURITY))
        assert "Passwords and second factors are kept there" in security
        assert (await visitor.post(f"{SECURITY}/app")).status_code == 403


async def test_a_refusal_is_told_plainly(vault: House, provider: FakeProvider) -> None:
    async with signed_in(vault, Role.OWNER) as (owner, _), visiting(vault) as visitor:
        await offer(owner, provider.issuer, default_role="")
        away = await visitor.post("/app/sign-in/single-sign-on", organisation="acme")
        url = re.findall(r'href="(http://127[^"]+)"', away.text)[0].replace("&amp;", "&")
        state = provider.will_say(url, vault.clock(), email="stranger@example.com")
        answer = await visitor.get(f"/app/sign-in/single-sign-on/back?code=c&state={state}&iss={provider.issuer}")
    assert answer.status_code == 401
    assert "stranger@example.com isn't a member here. Ask for an invitation." in text_of(answer)

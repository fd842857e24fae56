"""The dashboard's door: who gets in, and what no request passes without."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from vault_testing.house import PASSWORD, House
from vault_testing.visitor import ORIGIN, signed_in, text_of, visiting

from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.operations.manage_api_keys import create_api_key, revoke_api_key
from ledgix_vault.operations.manage_members import read_people, remove_member
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.scopes import PRESETS, Preset
from ledgix_vault.web.dashboard.door import COOKIE

pytestmark = pytest.mark.anyio


async def test_nobody_sees_a_page_before_signing_in(vault: House) -> None:
    async with visiting(vault) as visitor:
        answer = await visitor.get("/app/account?tab=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/app/sign-in?next=%2Fapp%2Faccount%3Ftab%3D1")


async def test_the_front_door_leads_to_the_dashboard(vault: House) -> None:
    async with visiting(vault) as visitor:
        for path in ("/", "/app"):
            assert (await visitor.get(path)).headers["location"] == "/app/"


async def test_signing_in_sets_a_cookie_that_only_this_host_over_tls_gets_back(vault: House) -> None:
    member = await vault.member(Role.REVIEWER)
    async with visiting(vault) as visitor:
        answer = await visitor.post("/app/sign-in", email=member.email.upper(), password=PASSWORD, next="/app/account")
        (cookie,) = answer.headers.get_list("set-cookie")
        assert answer.headers["location"] == "/app/account"
        page = await visitor.get("/app/account")
    assert cookie.startswith(f"{COOKIE}=")
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= {part.strip().lower() for part in cookie.split(";")}
    assert "domain" not in cookie.lower()
    assert member.email in text_of(page)


async def test_a_wrong_password_is_told_on_the_page_and_the_address_is_kept(vault: House) -> None:
    member = await vault.member(Role.REVIEWER)
    async with visiting(vault) as visitor:
        answer = await visitor.post("/app/sign-in", email=member.email, password="wrong")
    assert answer.status_code == 422
    assert "The e-mail address or the password is wrong." in text_of(answer)
    assert f'value="{member.email}"' in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "/app//evil.example", "/app/\\evil", "javascript:alert(1)", ""],
)
async def test_signing_in_leads_nowhere_else(target: str, vault: House) -> None:
    member = await vault.member(Role.REVIEWER)
    async with visiting(vault) as visitor:
        answer = await visitor.post("/app/sign-in", email=member.email, password=PASSWORD, next=target)
    assert answer.headers["location"] == "/app/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": ORIGIN},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
async def test_another_sites_form_does_nothing(headers: dict[str, str], vault: House) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        answer = await visitor.client.post("/app/account/name", data={"name": "Evil"}, headers=headers)
        assert answer.status_code == 403
        assert "Evil" not in (await visitor.get("/app/account")).text


async def test_an_older_browser_is_known_by_its_origin(vault: House) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        answer = await visitor.client.post("/app/account/name", data={"name": "Me"}, headers={"Origin": ORIGIN})
        assert answer.status_code == 303
        assert "Your name was changed." in text_of(await visitor.get("/app/account"))


async def test_every_answer_carries_the_headers_that_keep_strangers_out(vault: House) -> None:
    async with visiting(vault) as visitor:
        answer = await visitor.get("/app/sign-in")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"


async def test_static_files_may_be_kept_because_their_address_changes(vault: House) -> None:
    async with visiting(vault) as visitor:
        page = await visitor.get("/app/sign-in")
        address = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        style = await visitor.get(address)
        assert (await visitor.get("/app/static/../app.py")).status_code == 404
    assert style.headers["content-type"].startswith("text/css")
    assert "immutable" in style.headers["cache-control"]


async def test_signing_out_ends_the_session_itself(vault: House) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        secret = visitor.client.cookies[COOKIE]
        await visitor.post("/app/sign-out")
        visitor.client.cookies.set(COOKIE, secret, domain="vault.test")
        assert (await visitor.get("/app/account")).status_code == 303


async def test_what_is_not_there_is_a_page_for_people_and_a_problem_for_programs(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        page = await visitor.get("/app/nowhere")
        assert (page.status_code, "There is nothing here" in text_of(page)) == (404, True)
        plain = await visitor.get("/app/nowhere", headers={"Accept": "application/json"})
        assert plain.json()["code"] == "not_found"


async def test_a_link_invites_and_opening_it_decides_nothing(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (owner, _), visiting(vault) as guest:
        page = await owner.post("/app/settings/people/invite", email="guest@example.com", role="reviewer")
        link = page.text.partition("/app/join/")[2].partition("<")[0].partition('"')[0]
        for _ in range(2):
            assert "guest@example.com is invited as reviewer" in text_of(await guest.get(f"/app/join/{link}"))
        weak = await guest.post(f"/app/join/{link}", name="Guest", password="short")
        assert (weak.status_code, "8 to 1,024 characters" in text_of(weak)) == (422, True)
        await guest.post(f"/app/join/{link}", name="Guest", password=PASSWORD)
        assert "guest@example.com · reviewer of acme" in text_of(await guest.get("/app/account"))
        assert (await guest.get("/app/settings/people")).status_code == 403
        assert (await guest.get(f"/app/join/{link}")).status_code == 404


async def test_who_is_removed_while_sending_a_form_finishes_nothing(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, member):

        async def slowly() -> AsyncIterator[bytes]:
            yield b"email=friend%40example.com&"
            await remove_member(vault.core, vault.owner, member.person_id)
            yield b"role=owner"

        answer = await visitor.client.post(
            "/app/settings/people/invite",
            content=slowly(),
            headers={"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"},
        )
    assert (answer.status_code, answer.headers["location"]) == (303, "/app/sign-in")
    assert (await read_people(vault.core, vault.owner)).invitations[0].email == member.email


async def test_a_key_that_is_revoked_while_its_request_arrives_is_of_no_use(vault: House) -> None:
    tenant_id = vault.owner.tenant_id
    key, secret = await create_api_key(vault.core, tenant_id, "slow", PRESETS[Preset.FULL], (), SYSTEM)

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"tool_name": "stripe_refund", '
        await revoke_api_key(vault.core, tenant_id, key.key_id, SYSTEM)
        yield b'"tool_args": {"amount": 45}}'

    async with visiting(vault) as visitor:
        answer = await visitor.client.post("/request-clearance", content=slowly(), headers={"X-Vault-API-Key": secret})
    assert answer.json()["code"] == "unauthenticated"


async def test_a_stranger_cannot_send_much(vault: House) -> None:
    async def endlessly() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"a" * 4096

    async with visiting(vault) as visitor:
        for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=b"):
            answer = await visitor.client.post(
                "/app/sign-in", content=endlessly(), headers={"Origin": ORIGIN, "Content-Type": kind}
            )
            assert answer.status_code in (413, 422)
            assert "at most 65,536 bytes" in text_of(answer) or "can't be read" in text_of(answer)

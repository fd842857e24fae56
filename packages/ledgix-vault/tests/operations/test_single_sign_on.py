"""Single sign-on, as promised in `tenancy/sign_on.py`: against a real provider, and against one that lies."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
from oidc_provider_mock import User, run_server_in_thread
from vault_testing.fake_provider import STRANGER, FakeProvider, fake_provider
from vault_testing.house import PASSWORD, House
from vault_testing.invariants import check_invariants

from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import Conflict, Forbidden, Invalid, MissingScope, NotFound, Unauthenticated
from ledgix_vault.operations.accept_invitation import join_as_known, join_as_new
from ledgix_vault.operations.change_single_sign_on import change_single_sign_on, read_single_sign_on
from ledgix_vault.operations.confirm_session import begin_confirmation, confirm_by_code, confirm_by_password
from ledgix_vault.operations.manage_api_keys import create_api_key
from ledgix_vault.operations.manage_factors import start_app
from ledgix_vault.operations.manage_members import invite_member, read_people, remove_member
from ledgix_vault.operations.manage_sessions import change_name, change_password, read_sessions, sign_out
from ledgix_vault.operations.single_sign_on import (
    Away,
    Back,
    begin_single_sign_on,
    find_sign_on,
    finish_single_sign_on,
)
from ledgix_vault.operations.use_session import SignedInSession, switch_tenant, use_session
from ledgix_vault.sign_on.provider import ProviderFailed
from ledgix_vault.store.logs import read_entries
from ledgix_vault.tenancy.people import Assurance, Role
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.write_only import MASK, hash_of_sealed

pytestmark = pytest.mark.anyio
ADDRESS = "192.0.2.1"


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with fake_provider() as running:
        yield running


@pytest.fixture
def vault(new_vault: Callable[..., House], provider: FakeProvider) -> Iterator[House]:
    """A Vault whose operator trusts the fake provider's host."""
    provider.claims, provider.says, provider.token, provider.status, provider.key = {}, {}, None, 200, provider.key
    house = new_vault(sign_on_hosts=f"127.0.0.1:{provider.port}", public_url="https://vault.test")
    yield house
    check_invariants(house, by_own_check=house.is_sqlite)


async def offer(house: House, issuer: str, tenant: int = 0, **changes: Any) -> None:
    settings = {
        "enabled": True,
        "issuer": issuer,
        "client_id": "ledgix",
        "client_secret": "s3cret:+%",
        "allowed_domains": ["example.com"],
        "default_role": "auditor",
    }
    await change_single_sign_on(house.core, house.owner_of(tenant), settings | changes)


@dataclass
class Visit:
    """One sign-in through the fake provider."""

    house: House
    provider: FakeProvider

    async def begin(self, tenant: int = 0) -> Away:
        return await begin_single_sign_on(self.house.core, self.house.owner_of(tenant).tenant_id, "/app/", ADDRESS)

    async def finish(self, away: Away, back: Back) -> SignedInSession:
        arrived = await finish_single_sign_on(self.house.core, away.secret, back, ADDRESS, "a browser")
        used = await use_session(self.house.core, arrived.secret)
        assert used is not None
        return used

    async def go(self, tenant: int = 0, **claims: Any) -> SignedInSession:
        away = await self.begin(tenant)
        state = self.provider.will_say(away.url, self.house.clock(), **claims)
        return await self.finish(away, Back("a-code", state, self.provider.issuer, ""))


@pytest.fixture
async def visit(vault: House, provider: FakeProvider) -> Visit:
    await offer(vault, provider.issuer)
    return Visit(vault, provider)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the provider's own
def test_a_real_provider_names_a_member_who_is_made_and_found_again(new_vault: Callable[..., House]) -> None:
    """By hand through the provider's own page, as a browser would."""
    ada = User(sub="ada", claims={"email": "Ada@Example.com", "email_verified": True, "name": "Ada"})
    eve = User(sub="eve", claims={"email": "eve@example.com", "email_verified": False})

    async def run(house: House, issuer: str) -> None:
        house.clock.now = _now()
        await offer(house, issuer)
        first, again = await _through(house, "ada"), await _through(house, "ada")
        assert (first.member.email, first.member.name, first.member.role) == ("ada@example.com", "Ada", Role.AUDITOR)
        assert first.member.person_id == again.member.person_id
        assert first.member.assurance is Assurance.SINGLE_SIGN_ON
        with pytest.raises(Unauthenticated, match="verified"):
            await _through(house, "eve")
        with pytest.raises(Unauthenticated):
            await _through(house, "ada", action="deny")

    with run_server_in_thread(user_claims=(ada, eve)) as server:
        house = new_vault(sign_on_hosts=f"localhost:{server.server_port}", public_url="https://vault.test")
        anyio.run(run, house, f"http://localhost:{server.server_port}")


async def _through(house: House, sub: str, **form: str) -> SignedInSession:
    away = await begin_single_sign_on(house.core, house.owner.tenant_id, "/app/", ADDRESS)
    async with httpx.AsyncClient(follow_redirects=False) as browser:
        answer = await browser.post(away.url, data={"sub": sub, **form})
    query = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    back = Back(*(query.get(name, "") for name in ("code", "state", "iss", "error")))
    arrived = await finish_single_sign_on(house.core, away.secret, back, ADDRESS, "a browser")
    used = await use_session(house.core, arrived.secret)
    assert used is not None
    return used


def _now() -> int:
    return time.time_ns() // 1000


async def test_the_browser_is_sent_with_all_that_ties_the_answer_to_it(visit: Visit) -> None:
    away = await visit.begin()
    query = {name: values[0] for name, values in parse_qs(urlsplit(away.url).query).items()}
    assert away.url.startswith(f"{visit.provider.issuer}/authorize?")
    assert query["response_type"] == "code"
    assert query["redirect_uri"] == "https://vault.test/app/sign-in/single-sign-on/back"
    assert (query["client_id"], query["code_challenge_method"]) == ("ledgix", "S256")
    assert len({query["state"], query["nonce"], query["code_challenge"], away.secret}) == 4


async def test_the_code_is_redeemed_with_the_verifier_and_the_clients_secret(visit: Visit) -> None:
    away = await visit.begin()
    state = visit.provider.will_say(away.url, visit.house.clock())
    await visit.finish(away, Back("the-code", state, visit.provider.issuer, ""))
    _, headers, form = next(asked for asked in reversed(visit.provider.asked) if asked[0] == "/token")
    challenge = parse_qs(urlsplit(away.url).query)["code_challenge"][0]
    made = base64.urlsafe_b64encode(sha256(form["code_verifier"][0].encode()).digest()).decode().rstrip("=")
    assert (made, form["code"]) == (challenge, ["the-code"])
    assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")) == b"ledgix:s3cret%3A%2B%25"
    assert "client_secret" not in form


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": ""},
        {"aud": "another-client"},
        {"aud": ["ledgix", "another-client"]},
        {"iss": "https://login.example.com"},
        {"exp": 1},
        {"iat": 9_999_999_999},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email": "no address"},
        {"sub": ""},
    ],
    ids=str,
)
async def test_a_token_that_lies_signs_nobody_in(claims: dict[str, Any], visit: Visit) -> None:
    with pytest.raises(Unauthenticated):
        await visit.go(**claims)
    assert "new@example.com" not in {each.email for each in (await _people(visit.house)).members}


async def test_a_token_that_another_key_signed_signs_nobody_in(visit: Visit) -> None:
    visit.provider.key, own = STRANGER, visit.provider.key
    try:
        with pytest.raises(Unauthenticated):
            await visit.go()
    finally:
        visit.provider.key = own


@pytest.mark.parametrize(
    "says",
    [
        {"issuer": "https://login.example.com"},
        {"issuer": None},
        {"token_endpoint": "http://192.0.2.1/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
    ],
    ids=str,
)
async def test_a_provider_that_describes_itself_wrongly_isnt_used(says: dict[str, Any], visit: Visit) -> None:
    visit.provider.says = says
    with pytest.raises(ProviderFailed):
        await visit.begin()


@pytest.mark.parametrize("status", [301, 307, 404, 500])
async def test_a_provider_that_answers_oddly_is_told_plainly(status: int, visit: Visit) -> None:
    visit.provider.status = status
    with pytest.raises(ProviderFailed, match=str(status)):
        await visit.begin()


async def test_what_a_provider_sends_instead_of_a_token_is_told_plainly(visit: Visit) -> None:
    visit.provider.token = {"error": "invalid_grant"}
    with pytest.raises(ProviderFailed, match="no ID token"):
        await visit.go()


async def test_the_providers_host_must_be_public_or_trusted(vault: House) -> None:
    await offer(vault, "https://localhost:1")
    with pytest.raises(ProviderFailed, match="public"):
        await begin_single_sign_on(vault.core, vault.owner.tenant_id, "/app/", ADDRESS)


async def test_an_answer_counts_once_and_only_in_the_browser_that_asked(visit: Visit) -> None:
    away, other = await visit.begin(), await visit.begin()
    state = visit.provider.will_say(away.url, visit.house.clock())
    issuer = visit.provider.issuer
    with pytest.raises(Unauthenticated):  # the cookie of another sign-in
        await visit.finish(other, Back("a-code", state, issuer, ""))
    await visit.finish(away, Back("a-code", state, issuer, ""))
    with pytest.raises(Unauthenticated):
        await visit.finish(away, Back("a-code", state, issuer, ""))


@pytest.mark.parametrize(
    "changed",
    [
        {"state": ""},
        {"state": "another"},
        {"issuer": ""},
        {"issuer": "https://evil.example"},
        {"code": ""},
        {"error": "access_denied"},
    ],
    ids=str,
)
async def test_an_answer_to_something_else_is_refused(changed: dict[str, str], visit: Visit) -> None:
    away = await visit.begin()
    state = visit.provider.will_say(away.url, visit.house.clock())
    right = {"code": "a-code", "state": state, "issuer": visit.provider.issuer, "error": ""}
    with pytest.raises(Unauthenticated):
        await visit.finish(away, Back(**(right | changed)))


async def test_an_answer_comes_within_ten_minutes_and_to_the_same_provider(visit: Visit) -> None:
    late = await visit.begin()
    visit.house.clock.advance(600)
    state = visit.provider.will_say(late.url, visit.house.clock())
    with pytest.raises(Unauthenticated):
        await visit.finish(late, Back("a-code", state, visit.provider.issuer, ""))
    away = await visit.begin()
    state = visit.provider.will_say(away.url, visit.house.clock())
    await offer(visit.house, "https://elsewhere.example")
    with pytest.raises(Unauthenticated):
        await visit.finish(away, Back("a-code", state, visit.provider.issuer, ""))
    await offer(visit.house, visit.provider.issuer, enabled=False)
    with pytest.raises(NotFound):
        await visit.begin()


async def test_the_first_time_links_a_member_by_address_and_later_the_subject_counts(visit: Visit) -> None:
    member = await visit.house.member(Role.REVIEWER, "known@example.net")
    first = await visit.go(email="Known@example.net")
    assert (first.member.person_id, first.member.role) == (member.person_id, Role.REVIEWER)
    moved = await visit.go(email="renamed@example.com")
    assert moved.member.person_id == member.person_id
    told = await _kinds(visit.house)
    assert told[:3] == ["person.signed_in", "person.signed_in", "person.identity_linked"]


@pytest.mark.parametrize(
    ("email", "settings"),
    [
        ("new@example.org", {}),
        ("new@sub.example.com", {}),
        ("new@example.com", {"default_role": None}),
    ],
)
async def test_a_stranger_is_refused_plainly(email: str, settings: dict[str, Any], visit: Visit) -> None:
    await offer(visit.house, visit.provider.issuer, **settings)
    with pytest.raises(Unauthenticated, match="isn't a member here"):
        await visit.go(email=email)


async def test_an_invitation_is_accepted_by_single_sign_on(visit: Visit) -> None:
    await invite_member(visit.house.core, visit.house.owner, "guest@elsewhere.example", Role.POLICY_EDITOR)
    used = await visit.go(email="guest@elsewhere.example")
    assert used.member.role is Role.POLICY_EDITOR
    people = await _people(visit.house)
    assert [each.state(visit.house.clock()) for each in people.invitations] == ["accepted"]


async def test_whoever_was_removed_comes_back_by_invitation_alone(visit: Visit) -> None:
    used = await visit.go()
    await remove_member(visit.house.core, visit.house.owner, used.member.person_id)
    with pytest.raises(Unauthenticated, match="isn't a member any more"):
        await visit.go()
    await invite_member(visit.house.core, visit.house.owner, "new@example.com", Role.REVIEWER)
    back = await visit.go()
    assert (back.member.person_id, back.member.role) == (used.member.person_id, Role.REVIEWER)


async def test_an_account_of_another_tenant_is_never_taken_over(visit: Visit) -> None:
    await visit.house.member(Role.OWNER, "boss@example.com", tenant=1)
    with pytest.raises(Unauthenticated, match="has an account here"):
        await visit.go(email="boss@example.com")
    await invite_member(visit.house.core, visit.house.owner, "boss@example.com", Role.OWNER)
    with pytest.raises(Unauthenticated, match="has an account here"):
        await visit.go(email="boss@example.com")


async def test_a_tenants_provider_speaks_for_that_tenant_alone(visit: Visit) -> None:
    """Its owner may name anybody: a member of two tenants must not be theirs in the other."""
    house = visit.house
    await house.member(Role.OWNER, "both@example.com", tenant=1)
    _, link = await invite_member(house.core, house.owner, "both@example.com", Role.AUDITOR)
    there = await house.sign_in("both@example.com")
    await join_as_known(house.core, link, there.member, "")
    here = await visit.go(email="both@example.com")
    assert [tenant_id for tenant_id, _, _ in here.tenants] == [house.owner.tenant_id]
    assert there.session.session_id not in {each.session_id for each in await read_sessions(house.core, here.member)}
    _, another = await invite_member(house.core, house.stranger, "third@example.com", Role.AUDITOR)
    with pytest.raises(NotFound):
        await sign_out(house.core, here.member, there.session.session_id)
    for attempt in (
        switch_tenant(house.core, here, house.stranger.tenant_id),
        join_as_known(house.core, another, here.member, ""),
        change_name(house.core, here.member, "Evil"),
        change_password(house.core, here.member, here.session.session_id, PASSWORD, "another good one"),
        start_app(house.core, here.member, here.session),
        confirm_by_code(house.core, here.member, here.session, "000000", ADDRESS),
        confirm_by_password(house.core, here.member, here.session, PASSWORD, ADDRESS),
        begin_confirmation(house.core, here.member),
    ):
        with pytest.raises(Forbidden):
            await attempt
    await sign_out(house.core, here.member, here.session.session_id)
    assert there.session.session_id in {each.session_id for each in await read_sessions(house.core, there.member)}


async def test_whom_a_provider_made_a_link_gives_no_password(visit: Visit) -> None:
    """An inviting owner has the link, too: it must not open an account that belongs to another tenant."""
    await visit.go()
    _, link = await invite_member(visit.house.core, visit.house.stranger, "new@example.com", Role.AUDITOR)
    with pytest.raises(Conflict):
        await join_as_new(visit.house.core, link, "", PASSWORD, "")
    with pytest.raises(Unauthenticated):
        await visit.house.sign_in("new@example.com", "")


async def test_the_same_subject_of_another_tenants_provider_is_somebody_else(visit: Visit) -> None:
    here = await visit.go()
    await offer(visit.house, visit.provider.issuer, tenant=1)
    with pytest.raises(Unauthenticated, match="has an account here"):
        await visit.go(tenant=1)
    there = await visit.go(tenant=1, email="other@example.com")
    assert there.member.person_id != here.member.person_id
    assert there.member.tenant_id != here.member.tenant_id


@pytest.mark.parametrize("change", [{"enabled": False}, {"client_id": "another", "client_secret": "new"}], ids=str)
async def test_who_came_by_a_provider_that_counts_no_more_is_signed_out(change: dict[str, Any], visit: Visit) -> None:
    away = await visit.begin()
    state = visit.provider.will_say(away.url, visit.house.clock())
    back = Back("a-code", state, visit.provider.issuer, "")
    arrived = await finish_single_sign_on(visit.house.core, away.secret, back, ADDRESS, "")
    await change_single_sign_on(visit.house.core, visit.house.owner, {"default_role": "reviewer"})
    assert await use_session(visit.house.core, arrived.secret) is not None
    await change_single_sign_on(visit.house.core, visit.house.owner, change)
    assert await use_session(visit.house.core, arrived.secret) is None


async def test_a_tenant_is_found_by_its_name_or_its_domain(visit: Visit) -> None:
    house, here = visit.house, visit.house.owner.tenant_id
    for typed in ("acme", " ACME ", "anybody@Example.com", "example.com"):
        assert find_sign_on(house.core, typed) == here
    for typed in ("other", "", "@", "owner@example.net", "a\0b"):
        with pytest.raises(NotFound):
            find_sign_on(house.core, typed)
    await offer(house, visit.provider.issuer, tenant=1)
    with pytest.raises(NotFound, match="More than one"):
        find_sign_on(house.core, "anybody@example.com")
    assert find_sign_on(house.core, "acme") == here


async def test_only_who_has_every_right_names_a_provider(vault: House) -> None:
    """Whoever names a provider can become an owner."""
    key, _ = await create_api_key(
        vault.core, vault.owner.tenant_id, "settings", frozenset({Scope.SETTINGS}), (), SYSTEM
    )
    with pytest.raises(MissingScope):
        await change_single_sign_on(vault.core, key, {"enabled": False})
    assert not (await read_single_sign_on(vault.core, key)).enabled
    for role in Role:
        member = await vault.member(role)
        if role is Role.OWNER:
            await change_single_sign_on(vault.core, member, {"client_id": "ledgix"})
        else:
            with pytest.raises(MissingScope):
                await change_single_sign_on(vault.core, member, {"client_id": "evil"})


async def test_the_secret_is_in_no_entry_and_no_answer(visit: Visit) -> None:
    settings = await read_single_sign_on(visit.house.core, visit.house.owner)
    assert settings.masked()["client_secret"] == MASK
    assert b"s3cret" not in settings.sealed_secret
    tenant_id = visit.house.owner.tenant_id
    (entry,) = await visit.house.core.store.read(
        lambda connection: read_entries(connection, tenant_id, newest=1, published=0)
    )
    assert entry["action_metadata"]["settings"] == "single_sign_on"
    assert entry["action_metadata"]["after"]["sealed_secret_sha256"] == hash_of_sealed(settings.sealed_secret)
    assert "s3cret" not in str(entry)


async def test_plain_http_needs_the_operators_trust(vault: House) -> None:
    with pytest.raises(Invalid, match="VAULT_SIGN_ON_HOSTS"):
        await offer(vault, "http://login.example.com")


async def _people(house: House) -> Any:
    return await read_people(house.core, house.owner)


async def _kinds(house: House) -> list[str]:
    tenant_id = house.owner.tenant_id
    found = await house.core.store.read(lambda connection: read_entries(connection, tenant_id, newest=20, published=0))
    return [entry["kind"] for entry in found]

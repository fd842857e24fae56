"""Second factors: what a password alone doesn't give, what counts once, and what changing them takes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from vault_testing.house import PASSWORD, House
from vault_testing.invariants import check_invariants
from vault_testing.sign_in import add_app, add_passkey, code_of
from vault_testing.soft_passkey import USER_PRESENT, SoftPasskey

from ledgix_vault.errors import Busy, Conflict, Forbidden, Invalid, NotFound, Unauthenticated
from ledgix_vault.operations.accept_invitation import join_as_known
from ledgix_vault.operations.confirm_session import (
    begin_confirmation,
    confirm_by_code,
    confirm_by_passkey,
    confirm_by_password,
)
from ledgix_vault.operations.manage_factors import (
    add_new_passkey,
    begin_new_passkey,
    confirm_app,
    read_factors,
    remove_app,
    remove_own_passkey,
    rename_own_passkey,
    renew_recovery_codes,
    start_app,
)
from ledgix_vault.operations.manage_members import invite_member
from ledgix_vault.operations.manage_sessions import change_password, read_sessions
from ledgix_vault.operations.reset_password import reset_password
from ledgix_vault.operations.show_second_factor import read_half_session, show_code
from ledgix_vault.operations.sign_in import Credentials, sign_in
from ledgix_vault.operations.sign_in_with_passkey import begin_passkey_sign_in, begin_passkey_step, sign_in_with_passkey
from ledgix_vault.operations.steps.factors import ConfirmFirst
from ledgix_vault.operations.use_session import SignedInSession, switch_tenant, use_session
from ledgix_vault.store.logs import read_entries
from ledgix_vault.tenancy.ceremonies import LIFETIMES, CeremonyKind
from ledgix_vault.tenancy.people import Assurance, Role
from ledgix_vault.tenancy.sessions import FRESH

pytestmark = pytest.mark.anyio
WHO = "the-reviewer@example.com"
ADDRESS = "192.0.2.1"
SECOND = 1_000_000
PUBLIC_URL = "https://vault.test"


@pytest.fixture
def vault(new_vault: Callable[..., House]) -> Iterator[House]:
    """A Vault at an address that can have passkeys."""
    house = new_vault(public_url=PUBLIC_URL)
    yield house
    check_invariants(house, by_own_check=house.is_sqlite)


async def half(house: House, password: str = PASSWORD) -> str:
    """What a right password gives to somebody with a second factor."""
    started = await sign_in(house.core, Credentials(WHO, password, ADDRESS, "a browser"))
    assert started.needs_second_factor
    assert await use_session(house.core, started.secret) is None
    return started.secret


async def used(house: House, secret: str) -> SignedInSession:
    found = await use_session(house.core, secret)
    assert found is not None
    return found


async def with_app(house: House) -> tuple[SignedInSession, str, tuple[str, ...]]:
    """(session, secret of the app, recovery codes) of a fresh reviewer."""
    await house.member(Role.REVIEWER)
    here = await house.sign_in(WHO)
    secret, codes = await add_app(house, here)
    (refreshed,) = await read_sessions(house.core, here.member)
    return SignedInSession(refreshed, here.member, here.tenants), secret, codes


def passkey(house: House) -> SoftPasskey:
    return SoftPasskey(house.settings.public_url, "vault.test")


async def kinds(house: House, tenant: int = 0) -> list[str]:
    tenant_id = house.owner_of(tenant).tenant_id
    found = await house.core.store.read(lambda connection: read_entries(connection, tenant_id, newest=50, published=0))
    return [entry["kind"] for entry in found]


async def test_a_password_alone_is_half_a_session_once_there_is_an_app(vault: House) -> None:
    _, secret, _ = await with_app(vault)
    asked = await read_half_session(vault.core, first := await half(vault))
    assert asked is not None
    assert (asked.has_app, asked.has_passkeys, asked.has_codes) == (True, False, True)
    here = await used(vault, await show_code(vault.core, first, code_of(vault, secret), ADDRESS, "a browser"))
    assert (here.member.email, here.member.assurance) == (WHO, Assurance.SECOND_FACTOR)
    with pytest.raises(Unauthenticated):
        await show_code(vault.core, first, code_of(vault, secret, 1), ADDRESS, "")  # the half session is used up


async def test_a_code_counts_once_even_in_another_sign_in(vault: House) -> None:
    _, secret, _ = await with_app(vault)
    now = code_of(vault, secret)
    await show_code(vault.core, await half(vault), now, ADDRESS, "")
    again = await half(vault)
    for replayed in (now, code_of(vault, secret, -1)):
        with pytest.raises(Unauthenticated):
            await show_code(vault.core, again, replayed, ADDRESS, "")
    await show_code(vault.core, again, code_of(vault, secret, 1), ADDRESS, "")


async def test_the_code_that_confirmed_the_app_signs_nobody_in(vault: House) -> None:
    _, secret, _ = await with_app(vault)
    vault.clock.advance(-60)
    with pytest.raises(Unauthenticated):
        await show_code(vault.core, await half(vault), code_of(vault, secret), ADDRESS, "")


async def test_a_recovery_code_counts_once(vault: House) -> None:
    _, _, codes = await with_app(vault)
    assert len(codes) == 10
    await show_code(vault.core, await half(vault), codes[3].lower().replace("-", " "), ADDRESS, "")
    assert "person.recovery_code_used" in await kinds(vault)
    again = await half(vault)
    with pytest.raises(Unauthenticated):
        await show_code(vault.core, again, codes[3], ADDRESS, "")
    await show_code(vault.core, again, codes[4], ADDRESS, "")


async def test_guessing_codes_is_stopped_and_a_right_password_forgets_nothing(vault: House) -> None:
    _, secret, _ = await with_app(vault)
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            await show_code(vault.core, await half(vault), "000000", ADDRESS, "")
    with pytest.raises(Busy):
        await show_code(vault.core, await half(vault), code_of(vault, secret), ADDRESS, "")


async def test_a_half_session_is_over_after_ten_minutes_and_with_a_new_password(vault: House) -> None:
    here, secret, _ = await with_app(vault)
    late = await half(vault)
    vault.clock.advance(LIFETIMES[CeremonyKind.HALF_SESSION] / SECOND)
    with pytest.raises(Unauthenticated):
        await show_code(vault.core, late, code_of(vault, secret), ADDRESS, "")
    standing = await half(vault)
    await change_password(vault.core, here.member, here.session.session_id, PASSWORD, "another good one")
    assert await read_half_session(vault.core, standing) is None


async def test_an_app_that_no_code_confirmed_is_no_factor(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    here = await vault.sign_in(WHO)
    await start_app(vault.core, here.member, here.session)
    with pytest.raises(Invalid):
        await confirm_app(vault.core, here.member, here.session, "000000")
    await vault.sign_in(WHO)


async def test_the_first_factor_ends_sessions_that_a_password_alone_began(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    other, here = await vault.sign_in(WHO), await vault.sign_in(WHO)
    await add_passkey(vault, here, passkey(vault))
    left = {each.session_id for each in await read_sessions(vault.core, here.member)}
    assert left == {here.session.session_id}
    assert other.session.session_id not in left


async def test_a_passkey_signs_in_alone_and_after_a_password(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    device = passkey(vault)
    codes = await add_passkey(vault, await vault.sign_in(WHO), device)
    assert len(codes) == 10
    alone, after = (
        await begin_passkey_sign_in(vault.core, ADDRESS),
        await begin_passkey_step(vault.core, await half(vault), ADDRESS),
    )
    for begun, named in ((alone, 0), (after, 1)):
        options = json.loads(begun.options)
        assert (options["rpId"], options["userVerification"]) == ("vault.test", "required")
        assert len(options["allowCredentials"]) == named
        secret = await sign_in_with_passkey(vault.core, begun.secret, device.get(options), ADDRESS, "a browser")
        here = await used(vault, secret)
        assert (here.member.email, here.member.assurance) == (WHO, Assurance.SECOND_FACTOR)


@pytest.mark.parametrize(
    "misuse",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://vault.test"},
        {"host": "evil.example"},
        {"flags": USER_PRESENT},
        {"flags": 0},
        {"sign_count": 4},
        {"sign_count": -1},
        {"user_handle": b"somebody-else"},
        {"user_handle": b""},
        {"credential_id": b"unknown"},
    ],
    ids=str,
)
async def test_a_passkey_that_isnt_used_as_it_should_be_is_refused(misuse: dict[str, Any], vault: House) -> None:
    await vault.member(Role.REVIEWER)
    device = passkey(vault)
    device.sign_count = 5
    await add_passkey(vault, await vault.sign_in(WHO), device)
    begun = await begin_passkey_sign_in(vault.core, ADDRESS)
    for name, value in misuse.items():
        setattr(device, name, value)
    with pytest.raises(Unauthenticated):
        await sign_in_with_passkey(vault.core, begun.secret, device.get(json.loads(begun.options)), ADDRESS, "")


async def test_a_challenge_counts_once_for_its_purpose_and_for_five_minutes(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    device, here = passkey(vault), await vault.sign_in(WHO)
    await add_passkey(vault, here, device)
    begun = await begin_passkey_sign_in(vault.core, ADDRESS)
    options = json.loads(begun.options)
    await sign_in_with_passkey(vault.core, begun.secret, device.get(options), ADDRESS, "")
    with pytest.raises(Unauthenticated):
        await sign_in_with_passkey(vault.core, begun.secret, device.get(options), ADDRESS, "")
    other = await begin_passkey_sign_in(vault.core, ADDRESS)
    with pytest.raises(Unauthenticated):  # another challenge than the one that was signed
        await sign_in_with_passkey(vault.core, other.secret, device.get(options), ADDRESS, "")
    vault.clock.advance(300)
    with pytest.raises(Unauthenticated):
        await sign_in_with_passkey(vault.core, other.secret, device.get(json.loads(other.options)), ADDRESS, "")


@pytest.mark.parametrize(
    "misuse", [{"origin": "https://evil.example"}, {"host": "evil.example"}, {"flags": USER_PRESENT}], ids=str
)
async def test_a_passkey_that_isnt_made_as_it_should_be_is_not_added(misuse: dict[str, Any], vault: House) -> None:
    await vault.member(Role.REVIEWER)
    here, device = await vault.sign_in(WHO), passkey(vault)
    for name, value in misuse.items():
        setattr(device, name, value)
    with pytest.raises(Invalid):
        await add_passkey(vault, here, device)
    assert not (await read_factors(vault.core, here.member)).exist


@pytest.mark.parametrize(
    "answer", ["", "{}", "[]", "null", "x" * 40_000, '{"id":1,"rawId":"","type":"","response":{}}']
)
async def test_what_is_no_answer_of_a_device_is_refused(answer: str, vault: House) -> None:
    await vault.member(Role.REVIEWER)
    here = await vault.sign_in(WHO)
    begun = await begin_new_passkey(vault.core, here.member, here.session)
    with pytest.raises(Invalid):
        await add_new_passkey(vault.core, here.member, here.session, begun.secret, answer, "")
    sign = await begin_passkey_sign_in(vault.core, ADDRESS)
    with pytest.raises(Unauthenticated):
        await sign_in_with_passkey(vault.core, sign.secret, answer, ADDRESS, "")


async def test_somebody_elses_challenge_adds_no_passkey_and_their_passkey_confirms_nothing(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    other = await vault.member(Role.AUDITOR)
    mine, theirs = await vault.sign_in(WHO), await vault.sign_in(other.email)
    begun = await begin_new_passkey(vault.core, mine.member, mine.session)
    answer = passkey(vault).create(json.loads(begun.options))
    with pytest.raises(Invalid):
        await add_new_passkey(vault.core, theirs.member, theirs.session, begun.secret, answer, "")
    device = passkey(vault)
    await add_passkey(vault, theirs, device)
    for asked in (theirs, mine):
        challenge = await begin_confirmation(vault.core, asked.member)
        shown = device.get(json.loads(challenge.options))
        with pytest.raises(Unauthenticated):
            await confirm_by_passkey(vault.core, mine.member, mine.session, challenge.secret, shown)


async def test_changing_factors_takes_a_fresh_factor(vault: House) -> None:
    here, secret, _ = await with_app(vault)
    vault.clock.advance(FRESH / SECOND)
    for change in (
        remove_app(vault.core, here.member, here.session),
        renew_recovery_codes(vault.core, here.member, here.session),
        begin_new_passkey(vault.core, here.member, here.session),
    ):
        with pytest.raises(ConfirmFirst):
            await change
    with pytest.raises(Forbidden):
        await confirm_by_password(vault.core, here.member, here.session, PASSWORD, ADDRESS)
    with pytest.raises(Unauthenticated):
        await confirm_by_code(vault.core, here.member, here.session, "000000", ADDRESS)
    await confirm_by_code(vault.core, here.member, here.session, code_of(vault, secret), ADDRESS)
    (confirmed,) = await read_sessions(vault.core, here.member)
    await remove_app(vault.core, here.member, confirmed)
    factors = await read_factors(vault.core, here.member)
    assert (factors.exist, factors.unused_codes) == (False, ())
    await vault.sign_in(WHO)


async def test_a_password_shown_lately_is_no_factor_shown_lately(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    other, here = await vault.sign_in(WHO), await vault.sign_in(WHO)
    device = passkey(vault)
    await add_passkey(vault, here, device)
    (stored,) = (await read_factors(vault.core, here.member)).passkeys
    with pytest.raises(Forbidden):
        await remove_own_passkey(vault.core, other.member, other.session, stored.credential_id)


async def test_without_a_factor_the_password_is_asked_again(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    here = await vault.sign_in(WHO)
    vault.clock.advance(FRESH / SECOND)
    with pytest.raises(Forbidden):
        await start_app(vault.core, here.member, here.session)
    with pytest.raises(Unauthenticated):
        await confirm_by_password(vault.core, here.member, here.session, "wrong", ADDRESS)
    await confirm_by_password(vault.core, here.member, here.session, PASSWORD, ADDRESS)
    confirmed = next(s for s in await read_sessions(vault.core, here.member) if s.session_id == here.session.session_id)
    await start_app(vault.core, here.member, confirmed)


async def test_switching_tenants_makes_nothing_fresh(vault: House) -> None:
    here, _, _ = await with_app(vault)
    there = await vault.member(Role.OWNER, "boss@example.com", tenant=1)
    _, link = await invite_member(vault.core, there, WHO, Role.AUDITOR)
    joined = await used(vault, await join_as_known(vault.core, link, here.member, ""))
    assert not joined.session.is_fresh(vault.clock(), has_factors=True)
    vault.clock.advance(FRESH / SECOND)
    moved = await used(vault, await switch_tenant(vault.core, joined, here.member.tenant_id))
    assert not moved.session.is_fresh(vault.clock(), has_factors=True)


async def test_passkeys_are_renamed_and_removed_by_their_owner_alone(vault: House) -> None:
    await vault.member(Role.REVIEWER)
    other = await vault.member(Role.AUDITOR)
    here, theirs = await vault.sign_in(WHO), await vault.sign_in(other.email)
    await add_passkey(vault, here, passkey(vault))
    (stored,) = (await read_factors(vault.core, here.member)).passkeys
    for attempt in (
        rename_own_passkey(vault.core, theirs.member, stored.credential_id, "Mine"),
        remove_own_passkey(vault.core, theirs.member, theirs.session, stored.credential_id),
        rename_own_passkey(vault.core, here.member, "a\0b", "Mine"),
    ):
        with pytest.raises(NotFound):
            await attempt
    await rename_own_passkey(vault.core, here.member, stored.credential_id, "Blue “key”")
    (renamed,) = (await read_factors(vault.core, here.member)).passkeys
    assert renamed.name == "Blue “key”"


async def test_the_last_factor_stays_while_a_tenant_asks_for_one(vault: House) -> None:
    here, _, _ = await with_app(vault)
    await vault.change(require_second_factor=True)
    with pytest.raises(Conflict, match="asks its members for a second factor"):
        await remove_app(vault.core, here.member, here.session)
    await add_passkey(vault, here, passkey(vault))
    await remove_app(vault.core, here.member, here.session)


async def test_each_change_is_an_event_of_every_tenant_of_the_person(vault: House) -> None:
    here, _, _ = await with_app(vault)
    there = await vault.member(Role.OWNER, "boss@example.com", tenant=1)
    _, link = await invite_member(vault.core, there, WHO, Role.AUDITOR)
    await join_as_known(vault.core, link, here.member, "")
    await add_passkey(vault, here, passkey(vault))
    await renew_recovery_codes(vault.core, here.member, here.session)
    await remove_app(vault.core, here.member, here.session)
    told = (await kinds(vault, 1))[:3]
    assert told == ["person.factor_removed", "person.recovery_codes_made", "person.factor_added"]
    assert (await kinds(vault))[:3] == told


async def test_whoever_runs_the_vault_lets_somebody_in_who_lost_everything(vault: House) -> None:
    here, _, _ = await with_app(vault)
    await add_passkey(vault, here, passkey(vault))
    standing = await half(vault)
    fresh = await reset_password(vault.core, WHO)
    assert await read_half_session(vault.core, standing) is None
    await half(vault, fresh)
    bare = await reset_password(vault.core, WHO, factors=True)
    used_now = await vault.sign_in(WHO, bare)
    factors = await read_factors(vault.core, used_now.member)
    assert (factors.exist, factors.unused_codes) == (False, ())
    assert (await kinds(vault)).count("person.factor_removed") == 2

"""Following the ledger: nothing missed, nothing of others, and an end to everything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import partial

import pytest
from vault_testing.faults import Fault
from vault_testing.house import APPROVED, DENIED, PASSWORD, REVIEWED, House

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import Busy, MissingScope, NotFound, Unavailable
from ledgix_vault.operations import follow_events as module
from ledgix_vault.operations.follow_events import Told, follow_events
from ledgix_vault.operations.manage_api_keys import create_api_key, revoke_api_key, rotate_api_key
from ledgix_vault.operations.manage_members import change_member_role
from ledgix_vault.operations.sign_in import Credentials, sign_in
from ledgix_vault.operations.use_session import session_holds, use_session
from ledgix_vault.tenancy.api_keys import DAY, ApiKey
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.scopes import Preset, Scope

pytestmark = pytest.mark.anyio
SHOWN = {"event_uuid", "request_id", "kind", "tool_name", "agent_id", "decision_status", "outcome", "accepted_at"}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 0.02)
    monkeypatch.setattr(module, "PAUSE", 0)


async def take(stream: AsyncGenerator[Told, None], number: int) -> list[JsonObject]:
    """The next events, signs of life left out."""
    found: list[JsonObject] = []
    async with asyncio.timeout(20):
        while len(found) < number:
            told = await anext(stream)
            if told.event is not None:
                found.append(told.event)
    return found


async def quiet(stream: AsyncGenerator[Told, None]) -> int:
    """The position of the next item, which must be a sign of life."""
    told = await anext(stream)
    assert told.event is None
    return told.position


async def over(stream: AsyncGenerator[Told, None]) -> bool:
    """Whether the stream ends by itself, signs of life left out."""
    async with asyncio.timeout(20):
        async for told in stream:
            assert told.event is None
    return True


def size(house: House) -> int:
    return house.core.store.log(house.owner.tenant_id).integrator.size


async def clearance_only(house: House) -> ApiKey:
    key, _ = await create_api_key(house.core, house.owner.tenant_id, "asks", frozenset({Scope.CLEARANCE}), (), SYSTEM)
    return key


async def test_what_happens_is_told_once_and_in_order(vault: House) -> None:
    async with aclosing(follow_events(vault.core, vault.owner)) as stream:
        assert await quiet(stream) == size(vault) - 1
        asked = await vault.ask(DENIED)
        (denied,) = await take(stream, 1)
        assert denied.keys() == SHOWN | {"reason"}
        assert (denied["request_id"], denied["kind"]) == (asked["request_id"], "clearance.decided")
        assert (denied["decision_status"], denied["outcome"]) == ("denied", "denied")
        first = await vault.ask(REVIEWED)
        await vault.approve(first)
        await vault.consume(await vault.poll(first))
        told = await take(stream, 3)
        assert [event["kind"] for event in told] == ["clearance.decided", "review.decided", "token.consumed"]
        assert all(event.keys() == SHOWN | {"reason"} for event in told)
        await vault.change(quorum=2)
        (changed,) = await take(stream, 1)
        assert (changed["kind"], changed["outcome"], changed["decision_status"]) == ("settings.changed", None, None)
        assert await quiet(stream) == size(vault) - 1


@pytest.mark.parametrize("page", [1, 2, 200])
async def test_who_comes_back_misses_nothing(page: int, vault: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE", page)
    async with aclosing(follow_events(vault.core, vault.owner)) as stream:
        begin = await quiet(stream)
        await vault.ask(APPROVED)
        await take(stream, 1)
    asked = [await vault.ask(APPROVED) for _ in range(4)]
    vault.reopen()
    for after, expected in ((begin + 1, asked), (begin + 3, asked[2:])):
        async with aclosing(follow_events(vault.core, vault.owner, after=after)) as stream:
            assert await quiet(stream) == after
            found = await take(stream, len(expected))
            assert [event["request_id"] for event in found] == [each["request_id"] for each in expected]
            assert await quiet(stream) == size(vault) - 1
    async with aclosing(follow_events(vault.core, vault.owner, after=-1)) as stream:
        assert len(await take(stream, size(vault))) == size(vault)
    async with aclosing(follow_events(vault.core, vault.owner, after=10**6)) as stream:
        assert await quiet(stream) == size(vault) - 1


async def test_only_who_may_read_the_whole_ledger_is_told_reasons(vault: House) -> None:
    await vault.ask(REVIEWED)
    for preset, reasons in ((Preset.AGENT, False), (Preset.REVIEWER, True), (Preset.AUDITOR, True)):
        async with aclosing(follow_events(vault.core, await vault.key(preset), after=-1)) as stream:
            assert {"reason" in event for event in await take(stream, 3)} == {reasons}
    async with aclosing(follow_events(vault.core, await vault.member(Role.DEVELOPER), after=-1)) as stream:
        assert not any("reason" in event for event in await take(stream, size(vault)))
    with pytest.raises(MissingScope):
        await anext(follow_events(vault.core, await vault.key(Preset.GATEWAY)))


async def test_with_clearance_alone_a_key_follows_its_own_requests(vault: House) -> None:
    mine, another = await clearance_only(vault), await clearance_only(vault)
    fresh, _ = await rotate_api_key(vault.core, mine.tenant_id, mine.key_id, SYSTEM)
    async with (
        aclosing(follow_events(vault.core, mine)) as stream,
        aclosing(follow_events(vault.core, fresh)) as successors,
    ):
        begin = await quiet(stream)
        assert await quiet(successors) == begin
        await vault.ask(APPROVED, by=another)
        await vault.change(quorum=1, review_expiry_seconds=99)
        asked = await vault.ask(REVIEWED, by=mine)
        await vault.approve(asked)
        for each in (stream, successors):
            told = await take(each, 2)
            assert [event["kind"] for event in told] == ["clearance.decided", "review.decided"]
            assert {event["request_id"] for event in told} == {asked["request_id"]}
            assert await quiet(each) == size(vault) - 1 > begin
    await vault.ask(APPROVED, by=fresh)
    async with aclosing(follow_events(vault.core, mine, after=-1)) as stream:
        assert len(await take(stream, 3)) == 3
        assert await quiet(stream) == size(vault) - 1


async def test_one_request_is_followed(vault: House) -> None:
    asker, another = await clearance_only(vault), await clearance_only(vault)
    asked = await vault.ask(REVIEWED, by=asker)
    request_id = str(asked["request_id"])
    async with aclosing(follow_events(vault.core, asker, after=-1, request_id=request_id)) as stream:
        await quiet(stream)
        assert [event["kind"] for event in await take(stream, 1)] == ["clearance.decided"]
        await vault.ask(APPROVED, by=asker)
        await quiet(stream)
        await vault.deny(asked)
        assert [event["outcome"] for event in await take(stream, 1)] == ["denied"]
    for nobody in (another, vault.stranger):
        with pytest.raises(NotFound):
            await anext(follow_events(vault.core, nobody, request_id=request_id))
    for unknown in ("x", "00000000-0000-7000-8000-000000000000"):
        with pytest.raises(NotFound):
            await anext(follow_events(vault.core, vault.owner, request_id=unknown))


async def test_another_tenant_is_told_nothing(vault: House) -> None:
    async with aclosing(follow_events(vault.core, vault.stranger, after=-1)) as stream:
        await quiet(stream)
        theirs = vault.core.store.log(vault.stranger.tenant_id).integrator.size
        await take(stream, theirs)
        await vault.ask(REVIEWED)
        assert await quiet(stream) == theirs - 1


async def test_a_key_that_ended_follows_no_more(vault: House) -> None:
    revoked = await vault.key(Preset.AGENT)
    expiring, _ = await create_api_key(
        vault.core, revoked.tenant_id, "k", frozenset({Scope.LEDGER}), (), SYSTEM, expires_at=vault.clock() + DAY
    )
    streams = [follow_events(vault.core, key) for key in (revoked, expiring)]
    for stream in streams:
        await quiet(stream)
    await revoke_api_key(vault.core, revoked.tenant_id, revoked.key_id, SYSTEM)
    assert await over(streams[0])
    vault.clock.advance(24 * 3600)
    await vault.ask(APPROVED)
    assert await over(streams[1])
    assert vault.core.following == {}


async def test_a_person_follows_as_long_as_their_session_holds(vault: House) -> None:
    member = await vault.member(Role.AUDITOR)
    secret = (await sign_in(vault.core, Credentials(member.email, PASSWORD, "192.0.2.1", "a browser"))).secret
    used = await use_session(vault.core, secret)
    assert used is not None
    person = follow_events(vault.core, used.member, holds=partial(session_holds, vault.core, secret, used.member))
    await quiet(person)
    vault.clock.advance(15)
    await vault.ask(APPROVED)
    assert len(await take(person, 1)) == 1
    await change_member_role(vault.core, vault.owner, member.person_id, Role.REVIEWER)
    vault.clock.advance(15)
    async with asyncio.timeout(20):
        assert [told.event["kind"] async for told in person if told.event] in ([], ["member.role_changed"])


async def test_a_tenant_has_so_many_streams(new_vault: Callable[..., House]) -> None:
    vault = new_vault(streams_per_tenant=2)
    streams = [follow_events(vault.core, vault.owner) for _ in range(2)]
    for stream in streams:
        await anext(stream)
    with pytest.raises(Busy) as refused:
        await anext(follow_events(vault.core, vault.owner))
    assert refused.value.code == "too_many_streams"
    async with aclosing(follow_events(vault.core, vault.stranger)) as theirs:
        await anext(theirs)
    await streams[0].aclose()
    async with aclosing(follow_events(vault.core, vault.owner)) as another:
        await anext(another)
    await streams[1].aclose()
    assert vault.core.following == {}
    assert not vault.core.store.growth.is_watched


async def test_streams_end_when_the_vault_leaves(vault: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT", 600)
    stream = follow_events(vault.core, vault.owner)
    await quiet(stream)
    waiting = asyncio.create_task(over(stream))
    await asyncio.sleep(0)
    vault.core.store.growth.end()
    assert await waiting
    with pytest.raises(Unavailable):
        await anext(follow_events(vault.core, vault.owner))


async def test_a_commit_wakes_who_waits(vault: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one whose outcome was unknown."""
    monkeypatch.setattr(module, "HEARTBEAT", 600)
    asked = await vault.ask(REVIEWED)
    streams = [follow_events(vault.core, vault.owner, request_id=each) for each in ("", str(asked["request_id"]))]
    for stream in streams:
        await quiet(stream)
    waiting = [asyncio.create_task(take(stream, 1)) for stream in streams]
    await asyncio.sleep(0)
    vault.commit.fail(Fault.STORED)
    with pytest.raises(Unavailable):
        await vault.deny(asked)
    for task in waiting:
        assert (await task)[0]["outcome"] == "cancelled"
    for stream in streams:
        await stream.aclose()

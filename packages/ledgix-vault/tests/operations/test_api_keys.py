"""API keys that expire, are used, and are handed out by callers who have those rights themselves."""

from __future__ import annotations

from typing import Any

import pytest
from vault_testing.house import House, idempotency

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import Conflict, Forbidden, Invalid, MissingScope, NotFound, Unauthenticated
from ledgix_vault.operations.hand_out_api_keys import hand_out_api_key, replace_api_key, withdraw_api_key
from ledgix_vault.operations.list_api_keys import list_api_keys
from ledgix_vault.operations.manage_api_keys import create_api_key, revoke_api_key, rotate_api_key
from ledgix_vault.operations.note_key_use import note_key_use
from ledgix_vault.operations.read_ledger import list_entries
from ledgix_vault.operations.steps.keys import Rights
from ledgix_vault.tenancy.api_keys import DAY, ApiKey, KeyState
from ledgix_vault.tenancy.people import Assurance, Member, Role
from ledgix_vault.tenancy.scopes import PRESETS, Preset, Scope
from ledgix_vault.times import rfc3339
from ledgix_vault.web.doors import authenticate

pytestmark = pytest.mark.anyio
AGENT = Rights("bot", PRESETS[Preset.AGENT])


def member(house: House, role: Role) -> Member:
    return Member(house.owner.tenant_id, "p", "p@example.com", "P", role, Assurance.SECOND_FACTOR)


async def made(house: House, **more: Any) -> tuple[ApiKey, str]:
    return await create_api_key(house.core, house.owner.tenant_id, "k", PRESETS[Preset.AGENT], (), SYSTEM, **more)


async def newest(house: House) -> JsonObject:
    (entry,) = await list_entries(house.core, house.owner, 1)
    return entry


def is_unknown(house: House, secret: str) -> bool:
    try:
        authenticate(house.core, secret)
    except Unauthenticated:
        return True
    return False


async def test_a_key_is_unknown_from_the_microsecond_of_its_expiry_on(vault: House) -> None:
    ends = vault.clock() + DAY
    key, secret = await made(vault, expires_at=ends)
    assert (await newest(vault))["action_metadata"]["expires_at"] == rfc3339(ends)
    for now, unknown, state in ((ends - 1, False, KeyState.ACTIVE), (ends, True, KeyState.EXPIRED)):
        vault.clock.now = now
        assert is_unknown(vault, secret) is unknown
        assert key.state(now) is state
    vault.reopen()
    assert is_unknown(vault, secret)
    with pytest.raises(Conflict) as refused:
        await rotate_api_key(vault.core, key.tenant_id, key.key_id, SYSTEM)
    assert refused.value.code == "key_expired"
    assert (await revoke_api_key(vault.core, key.tenant_id, key.key_id, SYSTEM)).state(ends) is KeyState.REVOKED


async def test_no_key_is_made_that_is_over_or_lives_for_ever(vault: House) -> None:
    for ends in (vault.clock(), vault.clock() - DAY, vault.clock() + 3651 * DAY):
        with pytest.raises(Invalid):
            await made(vault, expires_at=ends)


async def test_after_a_rotation_the_old_key_lives_for_the_overlap(vault: House) -> None:
    old, old_secret = await made(vault, expires_at=vault.clock() + 30 * DAY)
    vault.clock.advance(10 * 24 * 3600)
    fresh, secret = await rotate_api_key(vault.core, old.tenant_id, old.key_id, SYSTEM, overlap_seconds=60)
    assert fresh.expires_at == vault.clock() + 30 * DAY
    told = (await newest(vault))["action_metadata"]
    assert (told["replaces"], told["replaced_expires_at"]) == (old.key_id, rfc3339(vault.clock() + 60_000_000))
    vault.clock.advance(59)
    assert not is_unknown(vault, old_secret)
    vault.clock.advance(1)
    assert is_unknown(vault, old_secret)
    assert not is_unknown(vault, secret)


async def test_an_overlap_never_makes_a_life_longer(vault: House) -> None:
    old, _ = await made(vault, expires_at=vault.clock() + DAY)
    await rotate_api_key(vault.core, old.tenant_id, old.key_id, SYSTEM, overlap_seconds=7 * 24 * 3600)
    assert (await newest(vault))["action_metadata"]["replaced_expires_at"] == rfc3339(old.expires_at or 0)
    endless, secret = await made(vault)
    fresh, _ = await rotate_api_key(vault.core, old.tenant_id, endless.key_id, SYSTEM)
    assert fresh.expires_at is None
    assert (await newest(vault))["action_metadata"]["replaced_expires_at"] is None
    await rotate_api_key(vault.core, old.tenant_id, endless.key_id, SYSTEM, overlap_seconds=0)
    assert is_unknown(vault, secret)
    for overlap in (-1, 91 * 24 * 3600):
        with pytest.raises(Invalid):
            await rotate_api_key(vault.core, old.tenant_id, fresh.key_id, SYSTEM, overlap_seconds=overlap)


async def test_when_a_key_was_used_is_known_at_once_and_stored_later(vault: House) -> None:
    key, secret = await made(vault)

    async def last_used() -> int | None:
        return {each.key.key_id: each.last_used_at for each in await list_api_keys(vault.core, vault.owner)}[key.key_id]

    assert await last_used() is None
    authenticate(vault.core, secret)
    first = vault.clock()
    assert await last_used() == first
    size = vault.core.store.log(key.tenant_id).integrator.size
    assert [await note_key_use(vault.core), await note_key_use(vault.core)] == [1, 0]
    assert vault.core.store.log(key.tenant_id).integrator.size == size
    vault.reopen()
    assert await last_used() == first
    vault.clock.advance(5)
    authenticate(vault.core, secret)
    assert await last_used() == vault.clock()
    vault.reopen()  # a crash within the minute
    assert await last_used() == first


async def test_who_hands_out_a_key(vault: House) -> None:
    made = await hand_out_api_key(vault.core, member(vault, Role.OWNER), AGENT)
    assert authenticate(vault.core, made.secret) == made.key
    entry = await newest(vault)
    assert entry["intent"]["decider"] == {"id": "p", "type": "person"}
    assert entry["action_metadata"]["assurance"] == "second_factor"
    assert str(made.secret) not in str(entry)
    assert (await hand_out_api_key(vault.core, member(vault, Role.DEVELOPER), AGENT)).secret
    for nobody in (member(vault, Role.REVIEWER), await vault.key(Preset.AGENT)):
        for act in (
            hand_out_api_key(vault.core, nobody, AGENT),
            replace_api_key(vault.core, nobody, made.key.key_id, None),
            withdraw_api_key(vault.core, nobody, made.key.key_id),
            list_api_keys(vault.core, nobody),
        ):
            with pytest.raises(MissingScope):
                await act


async def test_nobody_hands_out_or_takes_away_rights_that_they_lack(vault: House) -> None:
    developer = member(vault, Role.DEVELOPER)
    with pytest.raises(MissingScope) as refused:
        await hand_out_api_key(vault.core, developer, Rights("r", PRESETS[Preset.REVIEWER]))
    assert refused.value.scope == Scope.LEDGER_FULL
    reviewer = await vault.key(Preset.REVIEWER)
    for act in (
        replace_api_key(vault.core, developer, reviewer.key_id, None),
        withdraw_api_key(vault.core, developer, reviewer.key_id),
    ):
        with pytest.raises(MissingScope):
            await act
    settings, _ = await create_api_key(
        vault.core, vault.owner.tenant_id, "s", frozenset({Scope.SETTINGS, Scope.CLEARANCE}), ("eu-*",), SYSTEM
    )
    mine = Rights("m", frozenset({Scope.CLEARANCE}), ("eu-*", "eu-billing-?", "eu-x"))
    assert (await hand_out_api_key(vault.core, settings, mine)).key.agent_ids == mine.agent_ids
    for others in ((), ("*",), ("us-*",), ("eu-x", "us-x"), ("eu-[ab]",)):
        with pytest.raises(Forbidden):
            await hand_out_api_key(vault.core, settings, Rights("m", frozenset({Scope.CLEARANCE}), others))
    unbound, _ = await create_api_key(vault.core, vault.owner.tenant_id, "u", frozenset({Scope.CLEARANCE}), (), SYSTEM)
    with pytest.raises(Forbidden):
        await withdraw_api_key(vault.core, settings, unbound.key_id)


@pytest.mark.parametrize(
    ("rights", "path"),
    [
        (Rights("", PRESETS[Preset.AGENT]), "$.name"),
        (Rights("a\nb", PRESETS[Preset.AGENT]), "$.name"),
        (Rights("a", frozenset()), "$.scopes"),
        (Rights("a", PRESETS[Preset.AGENT], ("",)), "$.agent_ids"),
        (Rights("a", PRESETS[Preset.AGENT], ("x" * 257,)), "$.agent_ids"),
        (Rights("a", PRESETS[Preset.AGENT], ("x",) * 51), "$.agent_ids"),
        (Rights("a", PRESETS[Preset.AGENT], (), 1), "$.expires_at"),
    ],
)
async def test_what_no_key_can_be(vault: House, rights: Rights, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        await hand_out_api_key(vault.core, vault.owner, rights)
    assert refused.value.path == path


async def test_a_replay_has_the_key_without_the_secret(vault: House) -> None:
    key = idempotency(vault.owner, "/api-keys", "k", {"name": "bot"})
    first = await hand_out_api_key(vault.core, vault.owner, AGENT, key)
    again = await hand_out_api_key(vault.core, vault.owner, AGENT, key)
    assert first.secret
    assert (again.key, again.secret, again.replayed) == (first.key, None, True)
    rotate = idempotency(vault.owner, f"/api-keys/{first.key.key_id}/rotate", "k", {})
    fresh = [await replace_api_key(vault.core, vault.owner, first.key.key_id, 0, rotate) for _ in range(2)]
    assert fresh[0].key == fresh[1].key
    assert [bool(each.secret) for each in fresh] == [True, False]
    with pytest.raises(Invalid) as reused:
        await hand_out_api_key(
            vault.core, vault.owner, AGENT, idempotency(vault.owner, "/api-keys", "k", {"name": "another"})
        )
    assert reused.value.code == "idempotency_key_reused"


async def test_a_key_of_another_tenant_is_unknown(vault: House) -> None:
    theirs = vault.stranger.key_id
    for act in (
        replace_api_key(vault.core, vault.owner, theirs, None),
        withdraw_api_key(vault.core, vault.owner, theirs),
    ):
        with pytest.raises(NotFound):
            await act
    assert theirs not in {each.key.key_id for each in await list_api_keys(vault.core, vault.owner)}

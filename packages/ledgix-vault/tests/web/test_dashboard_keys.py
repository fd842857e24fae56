"""The page of API keys: a secret is in one answer alone, and nobody hands out more than they have."""

from __future__ import annotations

import re

import pytest
from vault_testing.house import House
from vault_testing.visitor import Visitor, signed_in, text_of

from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.operations.manage_api_keys import create_api_key
from ledgix_vault.tenancy.api_keys import DAY, ApiKey, KeyState, hash_secret
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.scopes import Preset, Scope

pytestmark = pytest.mark.anyio
PAGE = "/app/settings/keys"
SECRET = re.compile(r"lgx_[A-Za-z0-9_-]{43}")


def keys_named(house: House, name: str) -> list[ApiKey]:
    return [key for key in house.core.store.tenant(house.owner.tenant_id).keys if key.name == name]


async def once(visitor: Visitor) -> str:
    """The number of a fresh form."""
    return (await visitor.get(PAGE)).text.partition('name="once" value="')[2].partition('"')[0]


async def test_a_key_is_made_and_its_secret_shown_this_once(vault: House) -> None:
    async with signed_in(vault, Role.DEVELOPER) as (visitor, member):
        number = await once(visitor)
        wanted = {"name": "billing bot", "preset": "agent", "agent_ids": "billing-*, refunds", "life": "30"}
        answer = await visitor.post(PAGE, once=number, **wanted)
        (secret,) = set(SECRET.findall(answer.text))
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert '"agent_id": "refunds"' in text_of(answer)
        (key,) = keys_named(vault, "billing bot")
        assert vault.core.store.key_by_hash(hash_secret(secret)) == key
        assert (key.preset, key.agent_ids) == (Preset.AGENT, ("billing-*", "refunds"))
        assert key.expires_at == key.created_at + 30 * DAY
        assert 'id="keys" data-live' not in answer.text  # the page with the secret stays as it is
        again = await visitor.post(PAGE, once=number, **wanted)
        assert "was made already" in text_of(again)
        assert keys_named(vault, "billing bot") == [key]
        listed = await visitor.get(PAGE)
        assert "billing bot" in text_of(listed)
        for page in (again, listed):
            assert secret not in page.text
    assert member.role is Role.DEVELOPER


async def test_single_rights_and_no_end(vault: House) -> None:
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        answer = await visitor.post(PAGE, name="x", preset="single", scopes=["ledger", "report"], agent_ids="", life="")
        assert "LEDGIX_VAULT_URL/ledger" in text_of(answer)
    (key,) = keys_named(vault, "x")
    assert (key.scopes, key.agent_ids, key.expires_at) == ({Scope.LEDGER, Scope.REPORT}, (), None)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": ""}, "1 to 120 printable characters"),
        ({"preset": "single"}, "Tick at least one right."),
        ({"preset": "single", "scopes": ["everything"]}, "There is no scope"),
        ({"preset": "reviewer"}, "lacks the scope “ledger.full”"),
        ({"preset": ""}, "There is no preset"),
        ({"life": "7"}, "must be one of those"),
        ({"agent_ids": "x" * 300}, "patterns of 1 to 256 characters"),
    ],
)
async def test_what_is_wrong_is_told_beside_what_was_typed(wrong: dict[str, str], told: str, vault: House) -> None:
    async with signed_in(vault, Role.DEVELOPER) as (visitor, _):
        fields = {"name": "kept name", "preset": "agent", "agent_ids": "", "life": "90", **wrong}
        answer = await visitor.post(PAGE, once=await once(visitor), **fields)
    assert answer.status_code == 422
    assert told in text_of(answer)
    assert not wrong.get("name", "kept name") or 'value="kept name"' in answer.text
    assert keys_named(vault, "kept name") == []


async def test_a_key_is_rotated_with_an_overlap_and_revoked(vault: House) -> None:
    old = await vault.key(Preset.AGENT, "old bot")
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        answer = await visitor.post(f"{PAGE}/{old.key_id}/rotate", once=await once(visitor), overlap="3600")
        assert len(set(SECRET.findall(answer.text))) == 1
        first, fresh = keys_named(vault, "old bot")
        assert (first.expires_at, fresh.lineage) == (vault.clock() + 3_600_000_000, old.key_id)
        assert (await visitor.get(f"{PAGE}/{old.key_id}/rotate")).headers["location"] == PAGE
        revoked = await visitor.post(f"{PAGE}/{fresh.key_id}/revoke")
        assert (revoked.status_code, revoked.headers["location"]) == (303, PAGE)
        page = text_of(await visitor.get(PAGE))
        assert "The key “old bot” is revoked." in page
        assert "1 key that ended" in page
        vault.clock.advance(3600)
        page = text_of(await visitor.get(PAGE))
        assert "2 keys that ended" in page
        assert (await visitor.post(f"{PAGE}/{old.key_id}/rotate", overlap="12")).status_code == 422
        assert (await visitor.post(f"{PAGE}/{old.key_id}/rotate", overlap="0")).status_code == 409
    assert [key.state(vault.clock()) for key in keys_named(vault, "old bot")] == [KeyState.EXPIRED, KeyState.REVOKED]


async def test_nobody_touches_a_key_with_more_rights(vault: House) -> None:
    reviewer = await vault.key(Preset.REVIEWER)
    async with signed_in(vault, Role.DEVELOPER) as (visitor, _):
        page = await visitor.get(PAGE)
        assert f"{reviewer.key_id}/revoke" not in page.text
        assert 'value="reviewer"' not in page.text
        for act in ("rotate", "revoke"):
            assert (await visitor.post(f"{PAGE}/{reviewer.key_id}/{act}", overlap="0")).status_code == 403
    for role in (Role.REVIEWER, Role.AUDITOR, Role.POLICY_EDITOR):
        async with signed_in(vault, role) as (visitor, _):
            assert (await visitor.get(PAGE)).status_code == 403
            assert (await visitor.post(PAGE, name="x", preset="agent", life="")).status_code == 403
    assert not keys_named(vault, "reviewer")[0].is_revoked


async def test_a_key_of_another_tenant_is_not_there(vault: House) -> None:
    theirs, _ = await create_api_key(
        vault.core, vault.stranger.tenant_id, "their bot", frozenset({Scope.LEDGER}), (), SYSTEM
    )
    async with signed_in(vault, Role.OWNER) as (visitor, _):
        assert "their bot" not in (await visitor.get(PAGE)).text
        for act in ("rotate", "revoke"):
            assert (await visitor.post(f"{PAGE}/{theirs.key_id}/{act}", overlap="0")).status_code == 404


async def test_the_stream_is_for_who_is_signed_in(vault: House) -> None:
    async with signed_in(vault, Role.REVIEWER) as (visitor, _):
        vault.core.store.growth.is_over = True  # so that it ends at once
        assert (await visitor.get("/app/events")).status_code == 503
        await visitor.post("/app/sign-out")
        refused = await visitor.get("/app/events", headers={"Accept": "text/event-stream"})
        assert refused.status_code == 401

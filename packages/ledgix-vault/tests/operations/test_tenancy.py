"""Two tenants with the same ids in everything: nothing of one is visible to the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from vault_testing.house import APPROVED, REVIEWED, House, told

from ledgix.formats import json
from ledgix.verify import verify_bundle
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import NotFound, TokenRefused
from ledgix_vault.ids import new_id
from ledgix_vault.operations import request_clearance
from ledgix_vault.operations.list_reviews import list_reviews
from ledgix_vault.operations.manage_api_keys import revoke_api_key, rotate_api_key
from ledgix_vault.operations.read_ledger import (
    Wanted,
    list_checkpoints,
    list_entries,
    prove_bundle,
    prove_consistency,
    prove_inclusion,
)
from ledgix_vault.operations.steps import record
from ledgix_vault.operations.verify_ledger import verify_ledger
from ledgix_vault.store.signing_keys import load_key_list

pytestmark = pytest.mark.anyio


@pytest.fixture
def same_ids(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """After each call, ids are given out from the start again: the second tenant gets the first one's."""
    known: list[str] = []
    following: Iterator[int] = itertools.count()

    def repeated() -> str:
        number = next(following)
        if number == len(known):
            known.append(new_id())
        return known[number]

    def start_again() -> None:
        nonlocal following
        following = itertools.count()

    monkeypatch.setattr(request_clearance, "new_id", repeated)
    monkeypatch.setattr(record, "new_id", repeated)
    return start_again


async def test_the_same_ids_are_different_things(vault: House, same_ids: Callable[[], None]) -> None:
    mine = await vault.ask(APPROVED, key="k"), await vault.ask(REVIEWED)
    same_ids()
    theirs = await vault.ask(APPROVED, by=vault.stranger, key="k"), await vault.ask(REVIEWED, by=vault.stranger)
    assert [answer["request_id"] for answer in mine] == [answer["request_id"] for answer in theirs]
    assert mine[0]["token"] != theirs[0]["token"]
    with pytest.raises(TokenRefused):
        await vault.consume(mine[0], by=vault.stranger)
    await vault.consume(theirs[0], by=vault.stranger)
    assert (await vault.poll(mine[0]))["status"] == "approved"
    assert (await vault.ask(APPROVED, key="k"))["token"] == mine[0]["token"]
    await vault.approve(theirs[1], by=vault.stranger)
    assert (await vault.poll(mine[1]))["status"] == "pending_review"
    assert told(vault, mine[1]) == ["clearance.decided"]
    assert told(vault, theirs[1], tenant=1) == ["clearance.decided", "review.decided"]
    vault.clock.advance(24 * 3600)
    await vault.do_what_is_due()
    assert told(vault, mine[1])[-1] == "review.expired"


async def test_nothing_of_another_tenant_can_be_reached(vault: House) -> None:
    asked, stranger = await vault.ask(REVIEWED), vault.stranger
    for reach in (vault.poll, vault.approve, vault.deny, vault.mint):
        with pytest.raises(NotFound):
            await reach(asked, by=stranger)
    for change in (revoke_api_key, rotate_api_key):
        with pytest.raises(NotFound):
            await change(vault.core, stranger.tenant_id, vault.owner.key_id, SYSTEM)
    wanted = Wanted(request_id=asked["request_id"])
    mine = await list_entries(vault.core, vault.owner, 500)
    for proof in (prove_inclusion, prove_bundle):
        for sought in (wanted, Wanted(event_uuid=str(mine[0]["event_uuid"]))):
            with pytest.raises(NotFound):
                await proof(vault.core, stranger, sought, nobody_signs)
    page = await list_reviews(vault.core, stranger, status=None, limit=500, cursor="")
    assert page.reviews == []
    theirs = await list_entries(vault.core, stranger, 500)
    assert {entry["event_uuid"] for entry in mine}.isdisjoint(entry["event_uuid"] for entry in theirs)
    assert {entry["intent"]["tenant"] for entry in theirs} == {stranger.tenant_id}


async def nobody_signs(tenant_id: str) -> None:
    pytest.fail("nothing is signed for somebody who sees nothing")


async def test_each_log_has_its_own_key_and_checkpoints(vault: House) -> None:
    await vault.ask()
    await vault.ask(by=vault.stranger)
    await vault.checkpoint()
    logs = [vault.core.store.log(vault.owner_of(tenant).tenant_id) for tenant in (0, 1)]
    assert logs[0].key_id != logs[1].key_id
    await vault.ask()
    await vault.checkpoint()
    signed = [await list_checkpoints(vault.core, vault.owner_of(tenant), 500) for tenant in (0, 1)]
    assert [[checkpoint["checkpoint_id"] for checkpoint in of] for of in signed] == [[2, 1], [1]]
    with pytest.raises(NotFound):
        await prove_consistency(vault.core, vault.stranger, 1, 2)
    for tenant in (0, 1):
        caller = vault.owner_of(tenant)
        verified = await verify_ledger(vault.core, caller)
        assert verified["intact"]
        assert {checkpoint["signer_key_id"] for checkpoint in signed[tenant]} == {logs[tenant].key_id}
        listed = vault.core.store.read_and_wait(
            lambda connection, caller=caller: load_key_list(connection, caller.tenant_id)
        )
        assert [key.public.kid for key in listed if key.tenant_id] == [logs[tenant].key_id]
    nobody = vault.core.store.read_and_wait(lambda connection: load_key_list(connection, None))
    assert [key.public.kid for key in nobody] == [vault.core.token_key]


async def test_a_bundle_verifies_offline_with_the_tenants_key_alone(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked)

    async def sign(_: str) -> None:
        await vault.checkpoint()

    bundle = await prove_bundle(vault.core, vault.owner, Wanted(request_id=asked["request_id"]), sign)
    key_id = vault.core.store.log(vault.owner.tenant_id).key_id
    raw: Any = json.dumps(bundle)
    verify_bundle(raw, pinned_keys={key_id})
    assert bundle["event"]["kind"] == "review.decided"
    with pytest.raises(Exception, match="key"):
        verify_bundle(raw, pinned_keys={vault.core.store.log(vault.stranger.tenant_id).key_id})

"""The asynchronous client over an ASGI app: the rules are those of the sync one, so this shows the sending."""

from __future__ import annotations

import asyncio
import gc

import anyio
import pytest
from fake_vault import FakeVault

from ledgix.client import AsyncLedgix, ClientSettings
from ledgix.client.errors import ClearanceDenied, ReviewPending, TokenReplayed, VaultUnreachable
from ledgix.client.flow import NoReply, Reply, Request

pytestmark = pytest.mark.anyio


async def test_the_whole_path(vault: FakeVault) -> None:
    async with vault.async_client() as client:
        clearance = await client.request_clearance("stripe_refund", {"amount": 45})
        assert clearance.is_approved
        assert (await client.verify_token(clearance.token)).tool == "stripe_refund"
        minted = await client.mint(clearance)
        assert (await client.consume(minted.token)).request_id == minted.request_id
        with pytest.raises(TokenReplayed):
            await client.consume(minted.token)
        assert (await client.proof_bundle(clearance.request_id)).report.intact
        assert len(await client.ledger()) == 1


async def test_reviews(vault: FakeVault) -> None:
    vault.decide = lambda body: "pending"
    async with vault.async_client(review_mode="detach") as client:
        with pytest.raises(ReviewPending) as pending:
            await client.request_clearance("t", {})
        handle = pending.value.review
        assert [review.request_id async for review in client.reviews(page_size=1)] == [handle.request_id]
        vault.time.while_asleep = [lambda: vault.settle(handle.request_id, "denied")]
        with pytest.raises(ClearanceDenied):
            await handle.wait()
        assert vault.time.slept == [2.0]


async def test_retries(vault: FakeVault) -> None:
    vault.lose_answer()
    vault.fail(503, retry_after="3")
    async with vault.async_client() as client:
        assert (await client.request_clearance("t", {})).request_id == vault.only().request_id
        assert 3 <= vault.time.slept[1] <= 3.5
        for _ in range(4):
            vault.lose_request()
        with pytest.raises(VaultUnreachable):
            await client.ledger()


async def test_many_at_once_fetch_the_keys_once(vault: FakeVault) -> None:
    client = vault.async_client()
    client._sleep = lambda seconds: anyio.sleep(0)
    async with client:
        clearances = await asyncio.gather(*(client.request_clearance("t", {"n": n}) for n in range(50)))
    assert len({clearance.token for clearance in clearances}) == 50
    assert len(vault.paths("/.well-known")) == 1


async def test_cancelling_a_waiting_task_leaves_the_client_usable(vault: FakeVault) -> None:
    vault.decide = lambda body: "pending"
    client = vault.async_client()
    client._sleep = anyio.sleep
    async with client:
        with anyio.move_on_after(0.01) as scope:
            await client.request_clearance("t", {})
        assert scope.cancelled_caught
        vault.settle(vault.only().request_id, "approved")
        assert (await client.wait(vault.only().request_id)).is_approved


def test_one_client_in_one_loop_after_the_other(vault: FakeVault) -> None:
    client = vault.async_client()
    for number in range(3):
        assert asyncio.run(client.request_clearance("t", {"n": number})).is_approved
    gc.collect()
    assert len(client._clients) <= 1


async def test_versions_of_a_policy(vault: FakeVault) -> None:
    async with vault.async_client() as client:
        (listed,) = await client.policies()
        assert await client.policy("a/b") == listed
        assert "/policies/a%2Fb" in vault.paths()
        moved = [
            await client.draft_policy_version("a/b", rules=["x"]),
            await client.confirm_policy_version("a/b", 1, set_aside=["x"]),
            await client.activate_policy_version("a/b", 1),
            await client.shadow_policy_version("a/b", 1),
            await client.retire_policy_version("a/b", 1),
            await client.roll_back_policy("a/b"),
            await client.policy_version("a/b", 1),
            *await client.policy_versions("a/b"),
        ]
        assert moved == [listed.newest] * 8
        assert not (await client.policy_difference("a/b", 1, 1)).only_wording
        assert (await client.shadow_report("a/b")).agreed == 1


async def test_another_way_to_send() -> None:
    """A program with an HTTP client of its own transports requests itself; all rules stay."""
    sent: list[Request] = []

    async def send(request: Request) -> Reply | NoReply:
        sent.append(request)
        return NoReply("away") if len(sent) == 1 else Reply(200, {}, b'{"keys":[]}')

    async with AsyncLedgix(ClientSettings(retry_base_delay=0), send=send) as client:
        assert await client.refresh_keys() == frozenset()
    assert [(request.method, request.path) for request in sent] == [("GET", "/.well-known/jwks.json")] * 2
    assert sent[0] == sent[1]

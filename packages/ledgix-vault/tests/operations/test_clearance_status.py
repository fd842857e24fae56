"""Clients in the field don't retry this request, so it never fails for load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from vault_testing.house import REVIEWED, House, told

from ledgix_vault.operations import clearance_status

pytestmark = pytest.mark.anyio

DAY = 24 * 3600


async def test_a_hand_out_that_takes_too_long_reads_as_processing(
    vault: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked)
    with monkeypatch.context() as patch:
        patch.setattr(clearance_status, "PATIENCE", 0.02)
        async with vault.held_writer():
            answer = await vault.poll(asked)
    assert answer["status"] == "processing"
    assert answer["decision_status"] == "approved_pending_review"
    assert answer["token"] is None
    assert (await vault.poll(asked))["status"] == "approved"


@pytest.mark.parametrize("due", ["hand-out", "expiry"])
async def test_a_full_queue_reads_as_processing(due: str, new_vault: Callable[..., House]) -> None:
    vault = new_vault(queue_capacity=1)
    asked = await vault.ask(REVIEWED)
    if due == "hand-out":
        await vault.approve(asked)
    else:
        vault.clock.advance(DAY)
    async with vault.held_writer():
        queued = asyncio.create_task(vault.ask())
        await asyncio.sleep(0)
        assert (await vault.poll(asked))["status"] == "processing"
    await queued
    assert (await vault.poll(asked))["status"] == ("approved" if due == "hand-out" else "denied")


async def test_what_needs_no_write_is_answered_past_a_full_queue(new_vault: Callable[..., House]) -> None:
    vault = new_vault(queue_capacity=1)
    approved, pending = await vault.ask(), await vault.ask(REVIEWED)
    async with vault.held_writer():
        queued = asyncio.create_task(vault.ask())
        await asyncio.sleep(0)
        assert (await vault.poll(approved))["token"] == approved["token"]
        assert (await vault.poll(pending))["status"] == "pending_review"
    await queued


async def test_a_poll_writes_nothing_twice(vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked)
    before = vault.commit.count
    for _ in range(3):
        await vault.poll(asked)
    assert vault.commit.count == before + 1  # the hand-out
    assert told(vault, asked) == ["clearance.decided", "review.decided"]

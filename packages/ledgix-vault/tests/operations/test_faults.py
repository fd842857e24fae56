"""Every effect fails in both ways, lost and stored although it failed; afterwards every promise still holds.

A retry with the same Idempotency-Key gets the outcome of the first attempt if that was stored, does it if not, and
never has a second effect.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from vault_testing.faults import Cells, Commit, Crash, Fault
from vault_testing.house import APPROVED, DATABASE, DENIED, REVIEWED, Answer, House
from vault_testing.invariants import check_invariants, rows_of

from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.clearance.reports import Reported
from ledgix_vault.errors import Unavailable
from ledgix_vault.operations.manage_api_keys import create_api_key, revoke_api_key
from ledgix_vault.operations.verify_ledger import verify_ledger
from ledgix_vault.policy.versions import PolicyVersion
from ledgix_vault.store import schema
from ledgix_vault.store.logs import load_checkpoints
from ledgix_vault.tenancy.api_keys import hash_secret
from ledgix_vault.tenancy.scopes import PRESETS, Preset

pytestmark = pytest.mark.anyio


async def nothing(_: House) -> Any:
    return None


async def consumed(vault: House) -> Any:
    asked = await vault.ask()
    await vault.consume(asked)
    return asked


async def retried(vault: House) -> Any:
    """A call whose outcome is unknown, and may be tried once more."""
    await vault.register(
        definition="rules: [{id: all, effect: approve, when: []}]\nretry_after_unknown: true\n"
        "limits: [{id: budget, sum: args.amount, window: 24h, max: 90}]"
    )
    asked = await consumed(vault)
    await vault.report(asked, Reported.UNKNOWN)
    return asked


async def a_confirmed_version(vault: House) -> Any:
    return await vault.confirm((await vault.draft("Refunds must not exceed $10")).version)


async def a_second_active_version(vault: House) -> Any:
    return await vault.register("Refunds must not exceed $10")


def nothing_happens() -> None:
    return None


@dataclass(frozen=True)
class Case:
    """One operation that is called with an Idempotency-Key."""

    act: Callable[[House, Any, str], Awaitable[Any]]
    prepare: Callable[[House], Awaitable[Any]] = nothing


CASES = {
    "approve": Case(lambda vault, _, key: vault.ask(APPROVED, key=key)),
    "open a review": Case(lambda vault, _, key: vault.ask(REVIEWED, key=key)),
    "deny": Case(lambda vault, _, key: vault.ask(DENIED, key=key)),
    "approve in review": Case(
        lambda vault, asked, key: vault.approve(asked, key=key), prepare=lambda vault: vault.ask(REVIEWED)
    ),
    "cancel": Case(lambda vault, asked, key: vault.deny(asked, key=key), prepare=lambda vault: vault.ask(REVIEWED)),
    "cancel an approval": Case(lambda vault, asked, key: vault.deny(asked, key=key), prepare=lambda vault: vault.ask()),
    "report an outcome": Case(
        lambda vault, asked, key: vault.report(asked, Reported.REFUSED, key=key), prepare=consumed
    ),
    "consume": Case(lambda vault, asked, key: vault.consume(asked, key=key), prepare=lambda vault: vault.ask()),
    "mint": Case(lambda vault, asked, key: vault.mint(asked, key=key), prepare=lambda vault: vault.ask()),
    "retry after unknown": Case(lambda vault, asked, key: vault.mint(asked, key=key), prepare=retried),
    "register a policy": Case(
        lambda vault, _, key: vault.register("Amounts above 10 USD need review", policy_id="small", key=key)
    ),
    "draft a version": Case(lambda vault, _, key: vault.draft("Refunds must not exceed $10", key=key)),
    "confirm a version": Case(
        lambda vault, draft, key: vault.confirm(draft.version, key=key),
        prepare=lambda vault: vault.draft("Refunds must not exceed $10"),
    ),
    "activate a version": Case(
        lambda vault, version, key: vault.activate(version.version, key=key), prepare=a_confirmed_version
    ),
    "shadow a version": Case(
        lambda vault, version, key: vault.shadow(version.version, key=key), prepare=a_confirmed_version
    ),
    "retire a version": Case(lambda vault, _, key: vault.retire(1, key=key)),
    "roll back": Case(lambda vault, _, key: vault.roll_back(key=key), prepare=a_second_active_version),
}


def events(vault: House) -> list[Any]:
    tenant_id = vault.owner.tenant_id
    return list(vault.core.store.read_and_wait(lambda connection: rows_of(connection, schema.event, tenant_id)))


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("name", CASES)
async def test_a_retry_after_a_failed_commit_has_one_effect(name: str, fault: Fault, vault: House) -> None:
    case = CASES[name]
    asked = await case.prepare(vault)
    before = len(events(vault))
    vault.commit.fail(fault)
    if fault is Fault.LOST:
        with pytest.raises(Unavailable):
            await case.act(vault, asked, "key")
        assert len(events(vault)) == before
    else:
        assert_replayed(await case.act(vault, asked, "key"))
        assert len(events(vault)) == before + 1
    check_invariants(vault)
    outcome = await case.act(vault, asked, "key")
    for _ in range(2):
        again = await case.act(vault, asked, "key")
        assert_replayed(again)
        assert again == outcome
        vault.reopen()
    assert len(events(vault)) == before + 1


def assert_replayed(answer: Answer | PolicyVersion) -> None:
    assert not isinstance(answer, Answer) or answer.replayed


@pytest.mark.parametrize("fault", Fault)
async def test_a_hand_out_whose_commit_failed_is_asked_for_again(fault: Fault, vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    await vault.approve(asked)
    vault.commit.fail(fault)
    assert (await vault.poll(asked))["status"] == "processing"
    vault.clock.advance(10)
    first = await vault.poll(asked)
    assert first["status"] == "approved"
    vault.clock.advance(10)
    assert (await vault.poll(asked))["token"] == first["token"]


@pytest.mark.parametrize("fault", Fault)
async def test_an_expiry_whose_commit_failed_is_written_once(fault: Fault, vault: House) -> None:
    asked = await vault.ask(REVIEWED)
    vault.clock.advance(25 * 3600)
    vault.commit.fail(fault)
    assert (await vault.poll(asked))["status"] == "processing"
    assert (await vault.poll(asked))["reason_code"] == "review_expired"
    assert [row.kind for row in events(vault)][-2:] == ["clearance.decided", "review.expired"]


@pytest.mark.parametrize("fault", Fault)
async def test_memory_knows_what_is_stored_and_nothing_else(fault: Fault, vault: House) -> None:
    """A revoked key must not live on in memory, a key that was never stored must not open anything."""
    tenant_id = vault.owner.tenant_id
    key, secret = await create_api_key(vault.core, tenant_id, "k", PRESETS[Preset.AGENT], (), SYSTEM)
    known = len(vault.core.store.tenant(tenant_id).keys)
    vault.commit.fail(fault)
    with pytest.raises(Unavailable):
        await revoke_api_key(vault.core, tenant_id, key.key_id, SYSTEM)
    found = vault.core.store.key_by_hash(hash_secret(secret))
    assert found is not None
    assert found.is_revoked == (fault is Fault.STORED)
    vault.commit.fail(fault)
    with pytest.raises(Unavailable):
        await create_api_key(vault.core, tenant_id, "another", PRESETS[Preset.AGENT], (), SYSTEM)
    assert len(vault.core.store.tenant(tenant_id).keys) == known + (fault is Fault.STORED)


async def test_a_refusal_that_rests_on_a_lost_commit_is_not_told(vault: House) -> None:
    """Two consumers in one group: without the first one's commit, the second was never too late."""
    asked = await vault.ask()
    async with vault.held_writer():
        vault.commit.fail(Fault.LOST, after=1)  # the first is the holder's own
        tasks = [asyncio.create_task(vault.consume(asked, key=f"k{i}")) for i in range(2)]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable, Unavailable]
    assert not (await vault.consume(asked, key="k1")).replayed


@pytest.mark.parametrize("fault", Fault)
async def test_all_of_a_group_are_answered_by_what_is_stored(fault: Fault, vault: House) -> None:
    """Whether they have a key or not, and whatever became of them in the group."""
    used = await vault.ask()
    await vault.consume(used)
    async with vault.held_writer():
        vault.commit.fail(fault, after=1)
        with_keys = [asyncio.create_task(vault.ask(key=f"k{i}")) for i in range(3)]
        without = asyncio.create_task(vault.ask())
        other_body = asyncio.create_task(vault.ask(46, key="k0"))
        refused = asyncio.create_task(vault.consume(used, key="k9"))
    results = await asyncio.gather(*with_keys, without, other_body, refused, return_exceptions=True)
    stored = fault is Fault.STORED
    assert [isinstance(result, Answer) for result in results[:3]] == [stored] * 3
    assert [getattr(result, "code", "") for result in results[3:]] == [
        "unavailable",
        "idempotency_key_reused" if stored else "unavailable",
        "unavailable",
    ]


@pytest.mark.parametrize("template", ["postgresql"], indirect=True)
async def test_a_lost_connection_harms_nobody(vault: House) -> None:
    """PostgreSQL restarts between two requests, and while one is committed."""
    assert vault.server is not None
    first = await vault.ask(key="first")
    vault.server.end_other_connections(DATABASE)
    assert (await vault.ask(key="first"))["token"] == first["token"]

    vault.commit.before = partial(vault.server.end_other_connections, DATABASE)
    with pytest.raises(Unavailable):
        await vault.ask(key="second")
    vault.commit.before = nothing_happens
    assert (await vault.ask(key="second"))["status"] == "approved"


WHERE = {
    "row lost": lambda commit, cells: commit.fail(Fault.LOST),
    "row stored": lambda commit, cells: commit.fail(Fault.STORED),
    "swap lost": lambda commit, cells: setattr(cells, "next", Fault.LOST),
    "swap stored": lambda commit, cells: setattr(cells, "next", Fault.STORED),
    "crash before the swap": lambda commit, cells: setattr(cells, "crash", Fault.LOST),
    "crash before publishing": lambda commit, cells: setattr(cells, "crash", Fault.STORED),
}


@pytest.mark.parametrize("where", WHERE)
async def test_checkpoints_that_fail_between_any_two_steps(where: str, vault: House) -> None:
    """The first checkpoint of a log, and later ones."""
    inject: Callable[[Commit, Cells], None] = WHERE[where]
    for grows in (False, True):
        for restarts in (False, True):
            await vault.ask()
            inject(vault.commit, vault.cells)
            with pytest.raises((Unavailable, Crash)):
                await vault.checkpoint()
            check_invariants(vault)
            if grows:
                await vault.ask()
            if restarts:
                vault.reopen()
                check_invariants(vault)
            while await vault.checkpoint():
                check_invariants(vault)
            await assert_all_is_published(vault)


async def assert_all_is_published(vault: House) -> None:
    tenant_id = vault.owner.tenant_id
    published = vault.core.store.published(tenant_id)
    assert published is not None
    assert published.checkpoint.tree_size == vault.core.store.log(tenant_id).integrator.size == len(events(vault))
    verified = await verify_ledger(vault.core, vault.owner)
    assert verified["intact"]
    assert verified["verified_checkpoints"] == published.checkpoint.checkpoint_id


@pytest.mark.parametrize("where", ["swap lost", "swap stored", "crash before the swap", "crash before publishing"])
async def test_swaps_that_fail_again_and_again(where: str, vault: House) -> None:
    """However often, the Vault starts again, and at most one row stands above the cell."""
    for _ in range(3):
        await vault.ask()
        WHERE[where](vault.commit, vault.cells)
        with contextlib.suppress(Unavailable, Crash):  # after a swap that was stored, the next attempt finds that out
            await vault.checkpoint()
    check_invariants(vault)
    tenant_id = vault.owner.tenant_id
    rows = vault.core.store.read_and_wait(lambda connection: load_checkpoints(connection, tenant_id))
    cell = vault.cells.read(vault.core.store.log(tenant_id).key_id)
    assert len(rows) - (cell.checkpoint_id if cell else 0) <= 1
    vault.reopen()
    while await vault.checkpoint():
        pass
    await assert_all_is_published(vault)

"""Group commit: many units, one transaction, and nobody answered before it is durable."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import bindparam, func, insert, select, text, update
from vault_testing.house import House, idempotency

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import Busy, Conflict, Invalid, Unavailable
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store import schema
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome, Replayed
from ledgix_vault.tenancy.scopes import Preset

pytestmark = pytest.mark.anyio

NAME = schema.person


def add(name: str, unit: Unit) -> Outcome[str]:
    """A unit that stages one row."""
    unit.insert(NAME, (name, f"{name}@example.com", "", unit.now, ""))
    return Outcome(name, reference=name)


def count(unit: Unit) -> Outcome[int]:
    return Outcome(unit.read(select(func.count()).select_from(NAME)).scalar_one())


def add_and_fail(name: str, unit: Unit) -> Outcome[str]:
    unit.write(update(NAME).values(password_hash="overwritten"))
    add(name, unit)
    raise Conflict("no", code="no")


def names(vault: House) -> set[str]:
    """The people stored, apart from the template's owner."""
    found = vault.core.store.read_and_wait(lambda connection: connection.execute(select(NAME.c.email)).scalars().all())
    return {email.removesuffix("@example.com") for email in found} - {"owner"}


async def test_what_queues_up_is_one_transaction(vault: House) -> None:
    async with vault.held_writer():
        tasks = [asyncio.create_task(vault.core.store.run(partial(add, f"p{i}"))) for i in range(100)]
        before = vault.commit.count
    assert await asyncio.gather(*tasks) == [f"p{i}" for i in range(100)]
    assert vault.commit.count == before + 2  # the holding unit's own, and the group's
    assert names(vault) == {f"p{i}" for i in range(100)}


async def test_a_group_has_a_limit(new_vault: Callable[..., House]) -> None:
    vault = new_vault(group_limit=10)
    async with vault.held_writer():
        tasks = [asyncio.create_task(vault.core.store.run(partial(add, f"p{i}"))) for i in range(25)]
        before = vault.commit.count
    await asyncio.gather(*tasks)
    assert vault.commit.count == before + 1 + 3


async def test_nobody_is_answered_before_the_commit_returned(vault: House) -> None:
    answered: list[bool] = []
    vault.commit.before = lambda: answered.append(task.done())
    task = asyncio.create_task(vault.core.store.run(partial(add, "p")))
    await task
    assert answered == [False]
    assert names(vault) == {"p"}


async def test_a_unit_that_fails_after_its_last_write_takes_the_transaction_back(vault: House) -> None:
    def write_and_fail(unit: Unit) -> Outcome[str]:
        add("p3", unit)
        unit.write_last(update(NAME).values(password_hash=bindparam("new")), {"new": "overwritten"})
        raise Conflict("no", code="no")

    async with vault.held_writer():
        work = [partial(add, "p1"), write_and_fail, partial(add, "p2")]
        tasks = [asyncio.create_task(vault.core.store.run(each)) for each in work]
    first, failed, second = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, second) == ("p1", "p2")
    assert isinstance(failed, Unavailable)
    assert names(vault) == {"p1", "p2"}
    assert vault.core.store.read_and_wait(
        lambda connection: "overwritten" not in connection.execute(select(NAME.c.password_hash)).scalars().all()
    )


async def test_a_last_write_that_touches_nothing_is_refused_alone(vault: House) -> None:
    def look_and_refuse(unit: Unit) -> Outcome[str]:
        add("p3", unit)
        nobody = update(NAME).where(NAME.c.email == bindparam("nobody")).values(password_hash="")
        assert unit.write_last(nobody, {"nobody": "nobody"}) == 0
        raise Conflict("no", code="no")

    async with vault.held_writer():
        tasks = [asyncio.create_task(vault.core.store.run(each)) for each in (partial(add, "p1"), look_and_refuse)]
        before = vault.commit.count
    added, refused = await asyncio.gather(*tasks, return_exceptions=True)
    assert (added, type(refused)) == ("p1", Conflict)
    assert vault.commit.count == before + 2  # the holding unit's own, and the group's
    assert names(vault) == {"p1"}


async def test_a_unit_that_raises_leaves_nothing_and_its_neighbours_commit(vault: House) -> None:
    async with vault.held_writer():
        work = [partial(add_and_fail if i % 2 else add, f"p{i}") for i in range(10)]
        tasks = [asyncio.create_task(vault.core.store.run(unit)) for unit in work]
        before = vault.commit.count
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, Conflict) for result in results] == [False, True] * 5
    assert vault.commit.count == before + 2
    assert names(vault) == {f"p{i}" for i in range(0, 10, 2)}
    stored = vault.core.store.read_and_wait(
        lambda connection: connection.execute(select(NAME.c.password_hash)).scalars().all()
    )
    assert "overwritten" not in stored


def take_a_name_twice(unit: Unit) -> Outcome[None]:
    """Fails when the rows are written, long after the unit returned."""
    unit.insert(NAME, ("id-1", "same@example.com", "", 0, ""))
    unit.insert(NAME, ("id-2", "same@example.com", "", 0, ""))
    return Outcome(None)


def break_the_transaction(unit: Unit) -> Outcome[None]:
    """Fails inside the unit; PostgreSQL then refuses every further statement of the transaction."""
    unit.connection.execute(text("SELECT no_such_column FROM person"))
    return Outcome(None)


def break_a_constraint(unit: Unit) -> Outcome[None]:
    unit.connection.execute(
        insert(NAME).values(person_id="x", email="owner@example.com", password_hash="", created_at=0, name="")
    )
    return Outcome(None)


def no_log_of_this_tenant(unit: Unit) -> Outcome[None]:
    """Fails while the group is written, outside SQL."""
    record_administration(unit, "nobody", EventKind.SETTINGS_CHANGED, reason="", decider=SYSTEM, metadata={})
    return Outcome(None)


@pytest.mark.parametrize("bad", [take_a_name_twice, break_the_transaction, break_a_constraint, no_log_of_this_tenant])
async def test_a_unit_that_breaks_the_transaction_does_not_take_the_others_along(
    bad: Callable[[Unit], Outcome[None]], vault: House
) -> None:
    async with vault.held_writer():
        work = [partial(add, "first"), bad, partial(add, "second")]
        tasks = [asyncio.create_task(vault.core.store.run(unit)) for unit in work]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[0] == "first"
    assert isinstance(results[1], Unavailable)
    assert results[2] == "second"
    assert names(vault) == {"first", "second"}


async def test_a_unit_sees_what_earlier_units_of_its_group_did(vault: House) -> None:
    async with vault.held_writer():
        work = [count, partial(add, "p"), count, partial(add_and_fail, "q"), count]
        tasks = [asyncio.create_task(vault.core.store.run(unit)) for unit in work]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [results[i] for i in (0, 2, 4)] == [1, 2, 2]


async def test_a_full_queue_refuses_at_once(new_vault: Callable[..., House]) -> None:
    vault = new_vault(queue_capacity=3)
    async with vault.held_writer():
        tasks = [asyncio.create_task(vault.core.store.run(partial(add, f"p{i}"))) for i in range(5)]
        await asyncio.sleep(0)
        refused = [task for task in tasks if task.done()]
        assert len(refused) == 2
        assert all(isinstance(task.exception(), Busy) for task in refused)
    assert [await task for task in tasks[:3]] == ["p0", "p1", "p2"]
    assert names(vault) == {"p0", "p1", "p2"}


async def test_closing_answers_what_was_accepted(new_vault: Callable[..., House]) -> None:
    vault = new_vault(group_limit=4)
    store = vault.core.store
    async with vault.held_writer():
        tasks = [asyncio.create_task(store.run(partial(add, f"p{i}"))) for i in range(10)]
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(vault.close))
        await _until_it_closes(vault)
        with pytest.raises(Unavailable):
            await store.run(partial(add, "late"))
    assert await asyncio.gather(*tasks) == [f"p{i}" for i in range(10)]
    await closing
    vault.open()
    assert names(vault) == {f"p{i}" for i in range(10)}


async def _until_it_closes(vault: House) -> None:
    with contextlib.suppress(Unavailable):
        while True:
            await vault.core.store.check_ready()


def test_whoever_comes_while_it_closes_is_answered(new_vault: Callable[..., House]) -> None:
    vault = new_vault()
    store = vault.core.store
    start = threading.Barrier(9)
    outcomes: list[str] = []

    def hammer(number: int) -> None:
        start.wait()
        for i in range(1000):
            try:
                outcomes.append(store.run_and_wait(partial(add, f"p{number}-{i}")))
            except Unavailable:
                return

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    start.wait()
    vault.close()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    vault.open()
    assert names(vault) == set(outcomes)


def test_a_caller_whose_loop_is_gone_harms_nobody(vault: House) -> None:
    async def leave() -> None:
        async with vault.held_writer():
            abandoned = asyncio.create_task(vault.core.store.run(partial(add, "abandoned")))
            await asyncio.sleep(0)
            abandoned.cancel()

    asyncio.run(leave())
    assert vault.core.store.run_and_wait(partial(add, "next")) == "next"
    assert names(vault) == {"abandoned", "next"}


async def test_time_never_runs_backwards(vault: House) -> None:
    async def now() -> int:
        return await vault.core.store.run(lambda unit: Outcome(unit.now))

    await vault.ask()
    first = await now()
    vault.clock.advance(-3600)
    assert await now() == first
    vault.reopen()
    assert await now() == first


async def test_an_idempotency_key_stands_for_one_outcome(vault: House) -> None:
    key = idempotency(vault.owner, "/p", "k", {"a": 1})
    other_body = idempotency(vault.owner, "/p", "k", {"a": 2})
    async with vault.held_writer():  # all in one group: the first runs, the others find what it did
        tasks = [asyncio.create_task(vault.core.store.run(partial(add, "p"), key)) for _ in range(3)]
        tasks.append(asyncio.create_task(vault.core.store.run(partial(add, "q"), other_body)))
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert results[:3] == ["p", Replayed("p"), Replayed("p")]
    assert isinstance(results[3], Invalid)
    assert results[3].code == "idempotency_key_reused"
    assert await vault.core.store.run(partial(add, "p"), key) == Replayed("p")
    vault.reopen()
    assert await vault.core.store.run(partial(add, "p"), key) == Replayed("p")
    assert names(vault) == {"p"}


@pytest.mark.parametrize("who", ["stranger", "another key", "another path"])
async def test_an_idempotency_key_is_the_callers_own(who: str, vault: House) -> None:
    caller = {"stranger": vault.stranger, "another key": await vault.key(Preset.FULL), "another path": vault.owner}[who]
    path = "/q" if who == "another path" else "/p"
    await vault.core.store.run(partial(add, "p"), idempotency(vault.owner, "/p", "k", {}))
    assert await vault.core.store.run(partial(add, "q"), idempotency(caller, path, "k", {})) == "q"


async def test_a_refusal_is_not_remembered(vault: House) -> None:
    key = idempotency(vault.owner, "/p", "k", {})
    with pytest.raises(Conflict):
        await vault.core.store.run(partial(add_and_fail, "p"), key)
    assert await vault.core.store.run(partial(add, "p"), key) == "p"

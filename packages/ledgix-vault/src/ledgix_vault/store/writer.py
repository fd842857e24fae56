"""The writer: one thread, one writing connection, group commit.

Invariants
- Whoever gets an answer has it from a committed transaction. Nothing is answered before COMMIT returned.
- A COMMIT whose outcome is unknown is fatal for all that memory believes: the connection is dropped, trees and tenant
  states are loaded anew, and waiters are answered from what is stored under their idempotency keys, else told to retry.
- One bad unit never takes the others of its group along: when a group can't be written, each unit gets its own turn.
- The queue is bounded: a full one refuses at once (`Busy`), it never makes the caller wait unseen.
- After `close` every accepted unit has been answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from ledgix_vault.errors import Busy, Invalid, StartRefused, Unavailable, VaultError
from ledgix_vault.store import schema
from ledgix_vault.store.group import Group, Memory
from ledgix_vault.store.growth import Growth
from ledgix_vault.store.idempotency import IdempotencyKey, Remembered, Scope, look_up
from ledgix_vault.store.unit import Unit

if TYPE_CHECKING:
    from ledgix.formats.keys import PrivateKey
    from ledgix_vault.store.engine import Database

T = TypeVar("T")
LULL = 0.5
"""Seconds without work after which housekeeping is done (moving the WAL: it must not delay the next answer)."""
GROUPS_BEFORE_HOUSEKEEPING = 256
"""Under load without a lull it is done after so many groups, so that the WAL stays bounded."""
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Replayed:
    """This idempotency key was used before with the same body; `reference` names the outcome."""

    reference: str


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """A unit's answer, and the reference under which a retry finds it again."""

    value: T
    reference: str = ""


Work = Callable[[Unit], Outcome[Any]]


@dataclass(slots=True)
class _Job:
    work: Work
    key: IdempotencyKey | None
    future: Future[Any] | asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop | None
    answer: Any = None
    error: Exception | None = None


class Writer:
    """Runs units of work in groups. Start it with `start`, end it with `close`."""

    def __init__(
        self,
        database: Database,
        *,
        connect: Callable[[], Connection],
        load: Callable[[Connection], Memory],
        clock: Callable[[], int],
        ledger_key: Callable[[str], PrivateKey],
        capacity: int = 4096,
        group_limit: int = 512,
        commit: Callable[[Connection], None] = Connection.commit,
        idle: Callable[[Connection], None] = lambda _: None,
        growth: Growth | None = None,
    ) -> None:
        self._database = database
        self._connect = connect
        self._load = load
        self._clock = clock
        self._ledger_key = ledger_key
        self._group_limit = group_limit
        self._commit = commit
        self._idle = idle
        self._growth = growth or Growth()
        self._capacity = capacity
        self._queue: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = False
        self._groups_since_idle = 0
        self._door = threading.Lock()  # nobody is accepted once the end of the queue is in it
        self._connection: Connection | None = None
        self.memory = Memory()
        self._thread = threading.Thread(target=self._run, name="ledgix-writer", daemon=True)

    def start(self) -> None:
        """Connects, loads what memory must know, and starts the thread."""
        self._reconnect()
        self._thread.start()

    def close(self) -> None:
        """Answers everything that was accepted, then ends the thread and drops the connection."""
        with self._door:
            self._closing = True
            self._queue.put(None)
        self._thread.join()

    def submit(self, work: Work, key: IdempotencyKey | None = None) -> Any:
        """Runs `work` and waits (for callers without an event loop)."""
        future: Future[Any] = Future()
        self._accept(_Job(work, key, future, None))
        return future.result()

    async def run(self, work: Work, key: IdempotencyKey | None = None) -> Any:
        """Runs `work` in the next group; its value, or `Replayed`. What it wrote is durable on return."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._accept(_Job(work, key, future, loop))
        return await future

    def check_running(self) -> None:
        """Raises `Unavailable` when the writer is shutting down or gone."""
        if self._closing or not self._thread.is_alive():
            raise Unavailable("The Vault is shutting down.")

    def _accept(self, job: _Job) -> None:
        with self._door:
            if self._closing:
                raise Unavailable("The Vault is shutting down.")
            if self._queue.qsize() >= self._capacity:
                raise Busy()
            self._queue.put(job)

    def _run(self) -> None:
        while (job := self._next_or_idle()) is not None:
            jobs = [job]
            while len(jobs) < self._group_limit and not self._queue.empty():
                following = self._queue.get()
                if following is None:  # nothing comes after it
                    self._queue.put(None)
                    break
                jobs.append(following)
            self._commit_or_refuse(jobs)
            _settle(jobs)
            self._groups_since_idle += 1
        self._disconnect()

    def _commit_or_refuse(self, jobs: list[_Job]) -> None:
        """Nobody waits for ever: what nobody foresaw is an error for this group, and the writer goes on."""
        try:
            self._commit_group(jobs)
        except Exception:
            logger.exception("writer_failed")
            self._disconnect()
            _answer_all(jobs, Unavailable("The store failed; ask again with the same key."))

    def _next_or_idle(self) -> _Job | None:
        """The next job; housekeeping is done in a lull, or at the latest after so many groups."""
        if self._groups_since_idle:
            try:
                if self._groups_since_idle < GROUPS_BEFORE_HOUSEKEEPING:
                    return self._queue.get(timeout=LULL)
            except queue.Empty:
                pass
            self._do_idle_work()
        return self._queue.get()

    def _do_idle_work(self) -> None:
        self._groups_since_idle = 0
        try:
            if self._connection is not None:
                self._idle(self._connection)
        except Exception:  # housekeeping must never end the writer
            logger.exception("idle_work_failed")

    def _commit_group(self, jobs: list[_Job]) -> None:
        """Runs the jobs in one transaction; afterwards each has its answer or its error."""
        is_fresh = self._connection is None
        try:
            connection = self._connection or self._reconnect()
        except (SQLAlchemyError, StartRefused) as error:
            logger.error("store_unreachable", error=str(error), jobs=len(jobs))
            _answer_all(jobs, Unavailable("The store can't be reached; nothing was stored."))
            return
        try:
            group = self._fill_group(connection, jobs)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, nothing is stored yet
            self._not_stored(jobs, error, is_fresh=is_fresh)
            return
        try:
            self._commit(connection)
        except Exception as error:  # noqa: BLE001 - whatever COMMIT raises, its outcome is unknown
            logger.error("commit_ambiguous", error=str(error), jobs=len(jobs))
            self._answer_from_store(jobs)
            return
        # Committed: from here on a retry gets this same answer.
        group.publish()
        if self._growth.is_watched:
            self._growth.grew(group.grown())

    def _fill_group(self, connection: Connection, jobs: list[_Job]) -> Group:
        connection.begin()
        group = Group(connection, self._database, self.memory, self._clock, self._ledger_key)
        remembered = look_up(connection, self._database.mark, [job.key for job in jobs if job.key is not None])
        for job in jobs:
            _run_job(job, group, remembered)
        group.finish()
        return group

    def _not_stored(self, jobs: list[_Job], error: Exception, *, is_fresh: bool) -> None:
        """The transaction failed before COMMIT: nothing is stored. One bad unit must not take the others along, and a
        connection that died since the last group (a server that was restarted) is nobody's fault."""
        logger.error("group_failed", error=f"{type(error).__name__}: {error}", jobs=len(jobs))
        self._disconnect()
        if len(jobs) == 1 and is_fresh:
            _answer_all(jobs, Unavailable("The store could not take this in; nothing was stored."))
            return
        for job in jobs:
            job.answer, job.error = None, None
            self._commit_group([job])

    def _answer_from_store(self, jobs: list[_Job]) -> None:
        """COMMIT's outcome is unknown. What is stored under a job's key is its outcome; the rest must ask again, also
        those that were refused: their refusal may rest on what another unit of the group did."""
        self._disconnect()
        remembered: dict[Scope, Remembered] = {}
        try:
            connection = self._reconnect()
            remembered = look_up(connection, self._database.mark, [job.key for job in jobs if job.key is not None])
            connection.rollback()
        except (SQLAlchemyError, StartRefused) as error:
            logger.error("store_unreachable", error=str(error))
            self._disconnect()
        for job in jobs:
            if not _replay(job, remembered):
                _answer_all([job], Unavailable("The store did not confirm; ask again with the same key."))

    def _reconnect(self) -> Connection:
        connection = self._connect()
        try:
            memory = self._load(connection)
            connection.rollback()
        except BaseException:
            connection.close()
            raise
        memory.last_moment = max(memory.last_moment, self.memory.last_moment)
        self._connection, self.memory = connection, memory
        self._growth.wake_all()
        return connection

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except SQLAlchemyError as error:
                logger.warning("disconnect_failed", error=str(error))


def _run_job(job: _Job, group: Group, remembered: dict[Scope, Remembered]) -> None:
    if _replay(job, remembered):
        return
    unit = Unit(group)
    try:
        outcome = job.work(unit)
    except SQLAlchemyError:
        raise  # the transaction itself may be broken: the whole group starts over
    except Exception as error:
        if not isinstance(error, VaultError):
            logger.exception("unit_failed")
        unit.undo()
        job.error = error
        return
    if job.key is not None and outcome.reference:
        key = job.key
        unit.insert(schema.idempotency, (key.tenant_id, key.scope, key.body_hash, outcome.reference, unit.now))
        remembered[key.place] = Remembered(key.body_hash, outcome.reference)
    group.absorb(unit)
    job.answer = outcome.value


def _replay(job: _Job, remembered: dict[Scope, Remembered]) -> bool:
    """Answers a job whose key has an outcome already; whether it has."""
    prior = remembered.get(job.key.place) if job.key is not None else None
    if prior is None or job.key is None:
        return False
    job.answer = job.error = None
    if prior.body_hash == job.key.body_hash:
        job.answer = Replayed(prior.reference)
    else:
        job.error = Invalid(
            "This Idempotency-Key was used for another body; take a new key for a new request.",
            path="Idempotency-Key",
            code="idempotency_key_reused",
        )
    return True


def _answer_all(jobs: Iterable[_Job], error: VaultError) -> None:
    for job in jobs:
        job.answer, job.error = None, error


def _settle(jobs: Iterable[_Job]) -> None:
    """Wakes everybody who waits, each event loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in jobs:
        if job.loop is not None:
            by_loop.setdefault(job.loop, []).append(job)
        else:
            _resolve(job)
    for loop, theirs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # that loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_resolve_all, theirs)


def _resolve_all(jobs: list[_Job]) -> None:
    for job in jobs:
        _resolve(job)


def _resolve(job: _Job) -> None:
    if job.future.done():  # cancelled: nobody waits any more
        return
    if job.error is not None:
        job.future.set_exception(job.error)
    else:
        job.future.set_result(job.answer)

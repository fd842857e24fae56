"""The store: one writer, many readers, and what readers may see of the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import SQLAlchemyError

from ledgix.formats.checkpoints import Checkpoint
from ledgix.formats.keys import PrivateKey
from ledgix_vault.errors import InUse, Unavailable
from ledgix_vault.store import schema
from ledgix_vault.store.engine import ADVISORY_LOCK, READERS, Database
from ledgix_vault.store.group import LogState, Memory
from ledgix_vault.store.growth import Growth
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.key_use import KeyUse
from ledgix_vault.store.logs import load_integrator
from ledgix_vault.store.tenants import load_tenant_state
from ledgix_vault.store.writer import Work, Writer
from ledgix_vault.tenancy.api_keys import ApiKey
from ledgix_vault.tenancy.state import TenantState

T = TypeVar("T")
PATIENCE = 10.0
LOCK_PATIENCE = 1000
"""Milliseconds: a connection that we dropped ourselves holds the lock until the server has noticed."""
logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """The newest checkpoint of a log that readers may see, and the right edge of its tree."""

    checkpoint: Checkpoint
    edges: tuple[bytes, ...]


class Store:
    """Reads anywhere, writes through the one writer. Open it with `start`, end it with `close`."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], int],
        ledger_key: Callable[[str], PrivateKey],
        capacity: int = 4096,
        group_limit: int = 512,
        commit: Callable[[Connection], None] = Connection.commit,
    ) -> None:
        self.database = database
        self.key_use = KeyUse()
        self.growth = Growth()
        self._published: dict[str, Published] = {}
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="ledgix-reader")
        self._writer = Writer(
            database,
            connect=self._connect_writer,
            load=load_memory,
            clock=clock,
            ledger_key=ledger_key,
            capacity=capacity,
            group_limit=group_limit,
            commit=commit,
            growth=self.growth,
            idle=self._checkpoint_wal if database.is_sqlite else lambda _: None,
        )

    def start(self) -> None:
        """Loads every tenant and every log, then accepts work. Raises `StartRefused` on a store that is damaged."""
        self._writer.start()

    def close(self) -> None:
        """Answers what was accepted, then lets go of the database."""
        self._writer.close()
        self._readers.shutdown()
        self.database.close()

    async def run(self, work: Work, key: IdempotencyKey | None = None) -> Any:
        """Runs a unit of work in the next group commit; durable on return. Its value, or `Replayed`.

        Raises `Unavailable` after 10 seconds: the work may still be done, and its key remembers that.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._writer.run(work, key)
        except TimeoutError as error:
            raise Unavailable() from error

    def run_and_wait(self, work: Work, key: IdempotencyKey | None = None) -> Any:
        """The same for callers without an event loop."""
        return self._writer.submit(work, key)

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Runs a query on a connection that sees one committed state and can't write."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_and_wait, query)

    async def check_ready(self) -> None:
        """Raises `Unavailable` unless the database answers and the writer runs."""
        await self.read(lambda connection: connection.execute(text("SELECT 1")))
        self._writer.check_running()

    def read_and_wait(self, query: Callable[[Connection], T]) -> T:
        """The same for callers without an event loop."""
        try:
            with self.database.reader.connect() as connection, connection.begin():
                return query(connection)
        except SQLAlchemyError as error:
            logger.error("read_failed", error=str(error))
            raise Unavailable("The store can't be read right now.") from error

    def tenant(self, tenant_id: str) -> TenantState:
        """The tenant's state as last committed."""
        return self._writer.memory.tenants[tenant_id]

    def tenant_ids(self) -> list[str]:
        """The ids of all tenants."""
        return list(self._writer.memory.tenants)

    def tenants(self) -> list[TenantState]:
        """All tenants as last committed."""
        return list(self._writer.memory.tenants.values())

    def key_by_hash(self, secret_hash: bytes) -> ApiKey | None:
        """The API key whose secret has this SHA-256, revoked or not."""
        return self._writer.memory.keys.get(secret_hash)

    def log(self, tenant_id: str) -> LogState:
        """The tenant's tree as last committed: an immutable value as far as readers go."""
        return self._writer.memory.logs[tenant_id]

    def published(self, tenant_id: str) -> Published | None:
        """The newest checkpoint that readers may see; None before the first."""
        return self._published.get(tenant_id)

    def publish(self, tenant_id: str, checkpoint: Checkpoint, edges: tuple[bytes, ...]) -> None:
        """To be called once the high-water cell holds this checkpoint."""
        self._published[tenant_id] = Published(checkpoint, edges)

    def _connect_writer(self) -> Connection:
        connection = self.database.writer.connect()
        if not self.database.is_sqlite:
            _hold_lock(connection)
        return connection

    def _checkpoint_wal(self, connection: Connection) -> None:
        """Moves the WAL into the database while nobody waits: it never delays an answer."""
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(
            "PRAGMA wal_checkpoint(PASSIVE)"
        ).fetchall()  # outside any transaction: SQLAlchemy would begin one


def _hold_lock(connection: Connection) -> None:
    """A lock of the session: it lives and dies with this connection, so whoever writes holds it."""
    try:
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_PATIENCE}"))
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": ADVISORY_LOCK})
        connection.commit()
    except SQLAlchemyError as error:
        connection.close()
        if not isinstance(getattr(error, "orig", None), LockNotAvailable):
            raise
        raise InUse(
            "Another Vault is using this database.",
            "Stop it first; on PostgreSQL this version runs one Vault for each database.",
        ) from error


def load_memory(connection: Connection) -> Memory:
    """Everything that the writer keeps in memory, read from the store and checked on the way."""
    memory = Memory()
    ids = connection.execute(select(schema.tenant.c.tenant_id)).scalars().all()
    for tenant_id in ids:
        memory.put_tenant(load_tenant_state(connection, tenant_id))
        key_id, integrator, last_accepted_at = load_integrator(connection, tenant_id)
        memory.logs[tenant_id] = LogState(key_id, integrator)
        memory.last_moment = max(memory.last_moment, last_accepted_at)
    return memory

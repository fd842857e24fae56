"""Opening the database: SQLite (embedded) or PostgreSQL, with the pragmas that durability rests on.

SQLite: WAL, `synchronous=FULL` (a commit is on the disk when it returns), one writing connection that alone checkpoints
the WAL, readers that can't write. PostgreSQL: `synchronous_commit=on`, and a session-level advisory lock on the writing
connection, so that a second Vault on the same database is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Table, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool, QueuePool

from ledgix_vault.errors import StartRefused
from ledgix_vault.store.dbapi import sqlite

ADVISORY_LOCK = 0x6C65646769780001  # "ledgix" and a number: one Vault process for each database
READERS = 8


@dataclass(frozen=True, slots=True)
class Database:
    """Two engines on one database: `writer` for the single writing thread, `reader` for everybody else."""

    writer: Engine
    reader: Engine
    _inserts: dict[Table, str] = field(default_factory=dict, repr=False)

    @property
    def is_sqlite(self) -> bool:
        return self.writer.dialect.name == "sqlite"

    @property
    def mark(self) -> str:
        """The driver's parameter mark."""
        return "?" if self.is_sqlite else "%s"

    def insert_sql(self, table: Table) -> str:
        """The INSERT of a whole row in the order of the table's columns, as it goes to the driver."""
        known = self._inserts.get(table)
        if known is None:
            known = self._inserts[table] = self._insert_sql(table)
        return known

    def _insert_sql(self, table: Table) -> str:
        mark = self.mark
        columns = ", ".join(column.name for column in table.columns)
        return f"INSERT INTO {table.name} ({columns}) VALUES ({', '.join([mark] * len(table.columns))})"  # noqa: S608

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()


def open_sqlite(path: Path) -> Database:
    """Opens (and creates, mode 0600) the SQLite file `path`."""
    path.touch(mode=0o600, exist_ok=True)
    writer = create_engine(
        "sqlite://", module=sqlite, creator=lambda: _connect(path, readonly=False), poolclass=NullPool
    )
    reader = create_engine(
        "sqlite://",
        module=sqlite,
        creator=lambda: _connect(path, readonly=True),
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=READERS,
    )
    event.listen(writer, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    event.listen(reader, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return Database(writer, reader)


def open_postgresql(url: str) -> Database:
    """Opens the PostgreSQL database at `url` (`postgresql://…`) through psycopg 3."""
    target = _psycopg_url(url)
    writer = create_engine(target, poolclass=NullPool)
    reader = create_engine(target, pool_size=READERS, max_overflow=READERS, pool_pre_ping=True)
    return Database(writer, reader)


def _connect(path: Path, *, readonly: bool) -> Any:
    connection = sqlite.connect(str(path), isolation_level=None, check_same_thread=False, timeout=10.0)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "fullfsync=1",
        "mmap_size=0",
        "foreign_keys=ON",
        "wal_autocheckpoint=0",
        "cache_size=-65536",
        f"query_only={'ON' if readonly else 'OFF'}",
    ):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _psycopg_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StartRefused(
            "The database URL can't be read.", "Give it as postgresql://user:password@host:port/database."
        ) from error
    if parsed.get_backend_name() not in ("postgresql", "postgres"):
        raise StartRefused(
            f"The database URL starts with {parsed.drivername}:, which Ledgix doesn't speak.",
            "Give postgresql://user:password@host:port/database, or leave it out for SQLite in the data directory.",
        )
    return parsed.set(drivername="postgresql+psycopg")

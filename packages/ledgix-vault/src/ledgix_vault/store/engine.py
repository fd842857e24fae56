"""Opening the database: SQLite (embedded) or PostgreSQL, with the pragmas that durability rests on.

SQLite: WAL, `synchronous=FULL` (a commit is on the disk when it returns), one writing connection that alone checkpoints
the WAL, readers that can't write. PostgreSQL: `synchronous_commit` at least `on`, readers that see one snapshot and
can't write, and a session-level advisory lock on the writing connection, so that a second Vault on the same database is
refused.
Errors of both engines keep the parameters to themselves: they are what callers asked, and errors go to the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import SQLAlchemyError as DatabaseError
from sqlalchemy.pool import NullPool, QueuePool

from ledgix_vault.errors import StartRefused
from ledgix_vault.store.dbapi import sqlite

# Operations hand a connection on and speak no SQL themselves: they know these two from here.
__all__ = ["Connection", "Database", "DatabaseError", "open_postgresql", "open_sqlite"]
ADVISORY_LOCK = 0x6C65646769780001  # "ledgix" and a number: one Vault process for each database
READERS = 8
MOST_ROWS_AT_ONCE = 64
PATIENCE = 5
"""Seconds until a PostgreSQL must have taken a connection."""
DURABLE = """SELECT set_config('synchronous_commit', 'on', false)
 WHERE current_setting('synchronous_commit') IN ('off', 'local')"""


@dataclass(frozen=True, slots=True)
class Database:
    """Two engines on one database: `writer` for the single writing thread, `reader` for everybody else."""

    writer: Engine
    reader: Engine
    _inserts: dict[tuple[Table, int, bool], str] = field(default_factory=dict, repr=False)

    @property
    def is_sqlite(self) -> bool:
        return self.writer.dialect.name == "sqlite"

    @property
    def mark(self) -> str:
        """The driver's parameter mark."""
        return "?" if self.is_sqlite else "%s"

    def insert(self, connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        """Inserts whole rows, their values in the order of the table's columns.

        Many rows go in one statement, in blocks of 64, 32, … 1, so that a few statements serve every number of rows:
        the driver steps into the engine, and lets go of the interpreter lock, once for each block and not for each row.
        """
        self._write(connection, table, rows, adding=False)

    def add(self, connection: Connection, table: Table, rows: Sequence[Sequence[Any]]) -> None:
        """The same for rows that are sums: where one with its primary key is there, the last column adds to it. No two
        of `rows` have the same key."""
        self._write(connection, table, rows, adding=True)

    def _write(self, connection: Connection, table: Table, rows: Sequence[Sequence[Any]], *, adding: bool) -> None:
        start, left = 0, len(rows)
        while left:
            block = min(MOST_ROWS_AT_ONCE, 1 << (left.bit_length() - 1))
            values = tuple(chain.from_iterable(rows[start : start + block]))
            connection.exec_driver_sql(self._insert_sql(table, block, adding), values)
            start, left = start + block, left - block

    def _insert_sql(self, table: Table, rows: int, adding: bool) -> str:
        known = self._inserts.get((table, rows, adding))
        if known is None:
            columns = ", ".join(column.name for column in table.columns)
            row = f"({', '.join([self.mark] * len(table.columns))})"
            known = f"INSERT INTO {table.name} ({columns}) VALUES {', '.join([row] * rows)}"  # noqa: S608
            if adding:
                key, total = ", ".join(column.name for column in table.primary_key), list(table.columns)[-1].name
                known += f" ON CONFLICT ({key}) DO UPDATE SET {total} = {table.name}.{total} + excluded.{total}"
            self._inserts[table, rows, adding] = known
        return known

    def close(self) -> None:
        self.reader.dispose()
        self.writer.dispose()


def open_sqlite(path: Path) -> Database:
    """Opens (and creates, mode 0600) the SQLite file `path`."""
    path.touch(mode=0o600, exist_ok=True)
    writer = create_engine(
        "sqlite://",
        module=sqlite,
        creator=lambda: _connect(path, readonly=False),
        poolclass=NullPool,
        hide_parameters=True,
    )
    reader = create_engine(
        "sqlite://",
        module=sqlite,
        creator=lambda: _connect(path, readonly=True),
        poolclass=QueuePool,
        pool_size=READERS,
        max_overflow=READERS,
        hide_parameters=True,
    )
    event.listen(writer, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    event.listen(reader, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return Database(writer, reader)


def open_postgresql(url: str) -> Database:
    """Opens the PostgreSQL database at `url` (`postgresql://…`) through psycopg 3."""
    target = _psycopg_url(url)
    patience = {} if "connect_timeout" in target.query else {"connect_timeout": PATIENCE}
    writer = create_engine(target, connect_args=patience, poolclass=NullPool, hide_parameters=True)
    reader = create_engine(
        target,
        connect_args=patience,
        pool_size=READERS,
        max_overflow=READERS,
        pool_pre_ping=True,
        hide_parameters=True,
        isolation_level="REPEATABLE READ",
        execution_options={"postgresql_readonly": True},
    )
    event.listen(writer, "connect", lambda connection, _: _make_durable(connection))
    return Database(writer, reader)


def _make_durable(connection: Any) -> None:
    """Whatever the server is set to: a commit that returned survives a crash of the server."""
    connection.execute(DURABLE)
    connection.commit()


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

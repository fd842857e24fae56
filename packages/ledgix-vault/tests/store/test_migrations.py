"""Rows of older schemas arrive at the newest one as what they were."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator

from alembic import command
from sqlalchemy import text
from vault_testing.house import Template

from ledgix_vault.app import open_database
from ledgix_vault.settings import Settings
from ledgix_vault.store import migrate
from ledgix_vault.store.engine import Database

KEY = "INSERT INTO api_key VALUES ('t', 'k2', 'k', :secret, '', '[]', 'k1', 0, NULL)"
VERSION = "INSERT INTO policy_version VALUES ('t', :id, 'p', :number, '{}', 'h', :at, 'k2', :active)"

REQUEST = """INSERT INTO clearance (tenant_id, request_id, key_lineage, requested_at, request, decision, outcome, depth)
 VALUES ('t', :id, 'k', :at, :request, :decision, 'denied', 0)"""
FOUND_BY = "SELECT DISTINCT tool_name, agent_id, parent_jti, policy_id, reason_code, decided_by FROM clearance"
TOTALS = "SELECT dimension, count(*), sum(requests) FROM request_total GROUP BY dimension ORDER BY dimension"


@contextlib.contextmanager
def at_revision(template: Template, revision: str) -> Iterator[Database]:
    """An empty database with the schema of an older version."""
    url = template.server.create("older") if template.server else None
    directory = template.directory.with_name("older")
    directory.mkdir()
    settings = Settings.load(data_dir=directory, database_url=url)
    with contextlib.ExitStack() as stack:
        if template.server:
            stack.callback(template.server.drop, "older")
        stack.callback(shutil.rmtree, directory)
        database = stack.enter_context(contextlib.closing(open_database(settings)))
        with database.writer.begin() as connection:
            configuration = migrate._configuration()
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, revision)
        yield database


def test_versions_that_were_registered_in_one_step(template: Template) -> None:
    """The newest is active, those before are retired, each replaced the one before it; rotated keys are one author."""
    with at_revision(template, "0001") as database:
        with database.writer.begin() as connection:
            connection.execute(text(KEY), {"secret": b"s"})
            for number in (1, 2):
                row = {"id": f"v{number}", "number": number, "at": number, "active": number == 2}
                connection.execute(text(VERSION), row)
        migrate.arrive_at_schema(database)
        with database.reader.connect() as connection:
            found = connection.execute(text("SELECT * FROM policy_version ORDER BY version")).mappings().all()
    assert [(row["state"], row["replaced"]) for row in found] == [("retired", None), ("active", "v1")]
    assert {row["authors"] for row in found} == {'["k1"]'}
    for row in found:
        assert row["confirmed_at"] == row["activated_at"] == row["registered_at"] == row["version"]
        assert row["confirmed_by"] == row["activated_by"] == row["registered_by"] == "k2"


def test_requests_are_found_and_counted(template: Template) -> None:
    """By what their JSON says, however many there are."""
    request = json.dumps({"tool_name": "a\0b", "agent_id": "x" * 300, "session_id": "", "parent_jti": "not an id"})
    decision = json.dumps({"policy_id": None, "reason_code": "suspended", "decider": {"type": "engine"}})
    row = {"request": request, "decision": decision}
    with at_revision(template, "0009") as database:
        with database.writer.begin() as connection:
            for number in range(1001):
                connection.execute(text(REQUEST), row | {"id": f"r{number:04}", "at": number * 3_600_000})
        migrate.arrive_at_schema(database)
        with database.reader.connect() as connection:
            found = connection.execute(text(FOUND_BY)).all()
            totals = connection.execute(text(TOTALS)).all()
    assert [tuple(row) for row in found] == [("a\ufffdb", "x" * 256, None, "", "suspended", "engine")]
    assert [tuple(row) for row in totals] == [
        ("agent", 2, 1001),
        ("all", 2, 1001),
        ("time", 2, 1001),  # as unmeasured
        ("tool", 2, 1001),
    ]

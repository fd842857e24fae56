"""Rows of older schemas arrive at the newest one as what they were."""

from __future__ import annotations

import contextlib

from alembic import command
from sqlalchemy import text
from vault_testing.house import Template

from ledgix_vault.app import open_database
from ledgix_vault.settings import Settings
from ledgix_vault.store import migrate

KEY = "INSERT INTO api_key VALUES ('t', 'k2', 'k', :secret, '', '[]', 'k1', 0, NULL)"
VERSION = "INSERT INTO policy_version VALUES ('t', :id, 'p', :number, '{}', 'h', :at, 'k2', :active)"


def test_versions_that_were_registered_in_one_step(template: Template) -> None:
    """The newest is active, those before are retired, each replaced the one before it; rotated keys are one author."""
    url = template.server.create("older") if template.server else None
    directory = template.directory.with_name("older")
    directory.mkdir()
    settings = Settings.load(data_dir=directory, database_url=url)
    with contextlib.ExitStack() as stack:
        if template.server:
            stack.callback(template.server.drop, "older")
        stack.callback(lambda: [file.unlink() for file in directory.iterdir()] and directory.rmdir())
        database = stack.enter_context(contextlib.closing(open_database(settings)))
        with database.writer.begin() as connection:
            configuration = migrate._configuration()
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "0001")
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

"""Migrations: Alembic brings a database to the schema of this version, in one transaction."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import SQLAlchemyError

from ledgix_vault.errors import StartRefused
from ledgix_vault.settings import Settings
from ledgix_vault.store.engine import Database
from ledgix_vault.store.schema import SEARCH_INDEX, metadata

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


def create_schema(database: Database) -> None:
    """Makes the tables in an empty database; raises `StartRefused` when it isn't empty."""
    with database.writer.begin() as connection:
        tables = inspect(connection).get_table_names()
        if VERSION_TABLE in tables:
            raise StartRefused(
                "The database holds a Vault already.",
                "Give an empty database, or start that Vault with the data directory that it was made with; nothing"
                " was changed.",
            )
        if tables:
            raise StartRefused(
                "The database has tables that are not Ledgix's.", "Give an empty database; nothing was changed."
            )
        _upgrade(connection)


def drop_schema(database: Database) -> None:
    """Takes away what `create_schema` made, for an initialisation that failed."""
    with database.writer.begin() as connection:
        connection.exec_driver_sql(f"DROP TABLE {SEARCH_INDEX}")
        metadata.drop_all(connection)
        connection.exec_driver_sql(f"DROP TABLE {VERSION_TABLE}")
        if not database.is_sqlite:
            connection.exec_driver_sql("DROP FUNCTION refuse_change")


def arrive_at_schema(database: Database) -> None:
    """Brings an older database to this version's schema."""
    with database.writer.begin() as connection:
        _upgrade(connection)


def check_schema(database: Database, settings: Settings) -> None:
    """Raises `StartRefused` unless the database can be read and is at this version's schema; upgrades an older one."""
    place = "The database" if settings.database_url is not None else f"The file {settings.data_dir / 'vault.db'}"
    try:
        with database.reader.connect() as connection:
            current = MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error)
        raise StartRefused(
            f"{place} can't be read: {reason}.",
            "If it is damaged, put it back from a backup; if it is a server, check that it runs and the URL is right.",
        ) from error
    known = ScriptDirectory.from_config(_configuration())
    if current is None:
        raise StartRefused(f"{place} holds no Vault.", "Run `ledgix-vault init`, or put the right database back.")
    if current not in {script.revision for script in known.walk_revisions()}:
        raise StartRefused(f"{place} was written by a newer version of Ledgix.", "Run that version or a later one.")
    if current != known.get_current_head():
        arrive_at_schema(database)


def _upgrade(connection: Connection) -> None:
    configuration = _configuration()
    configuration.attributes["connection"] = connection
    command.upgrade(configuration, "head")


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return configuration

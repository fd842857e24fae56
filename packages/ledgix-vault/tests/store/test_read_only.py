"""Looking at a store from outside, on both engines."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from vault_testing.house import House

from ledgix_vault.app import open_keys
from ledgix_vault.errors import StartRefused
from ledgix_vault.operations.back_up import back_up
from ledgix_vault.operations.check_vault import check_vault
from ledgix_vault.settings import Settings
from ledgix_vault.store.high_water import read_cells
from ledgix_vault.store.read_only import frozen_view

pytestmark = pytest.mark.anyio


async def test_it_stands_still_while_the_vault_goes_on(vault: House) -> None:
    count = text("SELECT count(*) FROM event")
    with frozen_view(vault.settings) as connection:
        before = connection.execute(count).scalar_one()
        await vault.ask()
        assert connection.execute(count).scalar_one() == before
    with frozen_view(vault.settings) as connection:
        assert connection.execute(count).scalar_one() == before + 1


async def test_it_can_write_nothing(vault: House) -> None:
    with frozen_view(vault.settings) as connection, pytest.raises(SQLAlchemyError, match=r"read-?only"):
        connection.execute(text("DELETE FROM job"))


async def test_a_vault_is_checked_and_backed_up_while_it_runs(vault: House, tmp_path: Path) -> None:
    await vault.consume(await vault.ask())
    await vault.checkpoint()
    cells = read_cells(vault.settings.high_water)
    with frozen_view(vault.settings) as connection:
        report = check_vault(connection, cells, partial(open_keys, vault.settings))
    assert report.intact, report
    assert [tenant.checkpoints for tenant in report.tenants] == [1, 1]
    made = back_up(vault.settings, tmp_path / "backup.tar")
    assert made.with_database is vault.is_sqlite
    with tarfile.open(made.file) as tar:
        names = tar.getnames()
    assert ("vault.db" in names) is vault.is_sqlite
    assert sum(name.endswith(".pem") for name in names) == made.keys == 3


def test_a_database_that_does_not_answer(tmp_path: Path, new_vault: Callable[..., House]) -> None:
    settings = new_vault().settings
    lost = Settings.load(
        data_dir=settings.data_dir if settings.database_url else tmp_path,
        database_url=settings.database_url and "postgresql://nobody@127.0.0.1:1/nothing",
    )
    with pytest.raises(StartRefused, match="can't be read"), frozen_view(lost):
        pass

"""Which SQLite we run on, and what we say about an old one."""

import pytest

from ledgix_vault.errors import StartRefused
from ledgix_vault.store import dbapi


def test_the_driver_and_its_version_belong_together() -> None:
    (version,) = dbapi.sqlite.connect(":memory:").execute("SELECT sqlite_version()").fetchone()
    assert tuple(map(int, version.split("."))) == dbapi.sqlite_version_info


def test_the_driver_of_this_process_can_be_used() -> None:
    dbapi.version_warning()


@pytest.mark.parametrize("version", [(3, 51, 3), (3, 52, 0), (4, 0, 0)])
def test_a_repaired_sqlite_needs_no_words(version: tuple[int, int, int]) -> None:
    assert dbapi.version_warning(version) is None


@pytest.mark.parametrize("version", [(3, 38, 0), (3, 40, 1), (3, 51, 2)])
def test_an_older_one_is_a_warning(version: tuple[int, int, int]) -> None:
    warning = dbapi.version_warning(version)
    assert warning is not None
    assert ".".join(map(str, version)) in warning


def test_one_without_strict_tables_is_refused() -> None:
    with pytest.raises(StartRefused, match=r"SQLite 3\.37\.2 is too old") as refused:
        dbapi.version_warning((3, 37, 2))
    assert "pysqlite3" in refused.value.remedy

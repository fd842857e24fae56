"""A damaged data directory doesn't start, and the refusal names the file and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledgix_vault.app import open_vault
from ledgix_vault.errors import StartRefused
from ledgix_vault.settings import Settings
from ledgix_vault.store.dbapi import sqlite

Damage = Callable[[Settings], object]


def _database(change: Callable[[bytes], bytes]) -> Damage:
    return lambda settings: settings.database_file.write_bytes(change(settings.database_file.read_bytes()))


def _sql(*statements: str) -> Damage:
    def run(settings: Settings) -> None:
        connection = sqlite.connect(settings.database_file)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return run


def _first_key(settings: Settings) -> Path:
    return min(settings.key_directory.glob("*.pem"))


def _swap_keys(settings: Settings) -> None:
    first, second = sorted(settings.key_directory.glob("*.pem"))
    first.write_bytes(second.read_bytes())


DAMAGE: dict[str, tuple[Damage, str, str]] = {
    "no database": (lambda s: s.database_file.unlink(), "The database file {data}/vault.db is missing", "backup"),
    "an empty database": (_database(lambda _: b""), "The file {data}/vault.db holds no Vault", "init"),
    "a header of garbage": (_database(lambda raw: b"\0" * 100 + raw[100:]), "{data}/vault.db can't be read", "backup"),
    "half a database": (_database(lambda raw: raw[: len(raw) // 2]), "{data}/vault.db can't be read", "backup"),
    "a page of garbage": (_database(lambda raw: raw[:4096] + b"\xa5" * (len(raw) - 4096)), "{data}/vault.db", "backup"),
    "another database": (
        _sql("DROP TABLE alembic_version"),
        "{data}/vault.db holds no Vault",
        "put the right database back",
    ),
    "a newer database": (
        _sql("UPDATE alembic_version SET version_num = '9999'"),
        "written by a newer version",
        "Run that version",
    ),
    "settings that are none": (_sql("UPDATE tenant SET settings = '[]'"), "{data}/vault.db is damaged", "check"),
    "a setting that is none": (
        _sql("UPDATE tenant SET settings = '{\"quorum\": 0}'"),
        "{data}/vault.db is damaged",
        "check",
    ),
    "scopes that are none": (_sql("UPDATE api_key SET scopes = 'x'"), "{data}/vault.db is damaged", "check"),
    "a head that is wrong": (_sql("UPDATE log SET root = zeroblob(32)"), "the head's root", "check"),
    "a head beyond the events": (_sql("UPDATE log SET size = 3"), "is damaged", "check"),
    "no log": (_sql("DELETE FROM log"), "its head is missing", "check"),
    "no token key": (_sql("DELETE FROM signing_key WHERE tenant_id IS NULL"), "names no token key", "backup"),
    "a table gone": (_sql("DROP TABLE tenant"), "{data}/vault.db is damaged", "backup"),
    "no key directory": (lambda s: s.key_directory.rename(s.data_dir / "k"), "it has no keys/", "backup"),
    "a key gone": (lambda s: _first_key(s).unlink(), "The signing key {data}/keys/", "backup"),
    "a key of garbage": (lambda s: _first_key(s).write_bytes(b"x" * 300), "isn't an encrypted PEM file", "backup"),
    "keys mixed up": (_swap_keys, "holds another key", "backup"),
    "no unlock key": (lambda s: s.key_file.unlink(), "The key file {data}/keys/unlock.key is missing", "put it back"),
    "another unlock key": (lambda s: s.key_file.write_text("A" * 43 + "=\n"), "can't be opened with the key file", ""),
    "an unlock key for all": (
        lambda s: s.key_file.chmod(0o640),
        "Other users of this machine have rights",
        "chmod 600",
    ),
    "no high-water file": (lambda s: s.high_water.unlink(), "{data}/high-water.db is missing", "VAULT_HIGH_WATER"),
    "a high-water file of garbage": (lambda s: s.high_water.write_bytes(b"x" * 9000), "high-water.db", "good copy"),
}


@pytest.mark.parametrize(("damage", "said", "remedy"), DAMAGE.values(), ids=DAMAGE.keys())
def test_damage_is_refused_in_words(vault: Any, damage: Damage, said: str, remedy: str) -> None:
    settings = Settings.load(data_dir=vault.data)
    damage(settings)
    with pytest.raises(StartRefused) as refused, open_vault(settings):
        pass
    assert said.format(data=vault.data) in refused.value.detail
    assert remedy.lower() in refused.value.remedy.lower()
    assert "sqlalche.me" not in str(refused.value)

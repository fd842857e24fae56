"""Backups: whole or refused, without what must not be in them, and never a second history."""

from __future__ import annotations

import io
import json
import shutil
import stat
import tarfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ledgix_vault.app import initialise, open_keys, open_vault, recover_vault
from ledgix_vault.control.client import ask
from ledgix_vault.errors import StartRefused
from ledgix_vault.operations.back_up import back_up
from ledgix_vault.operations.check_vault import check_vault
from ledgix_vault.operations.create_tenant import Owner
from ledgix_vault.operations.restore_backup import restore_backup
from ledgix_vault.settings import Settings
from ledgix_vault.store.high_water import read_cells
from ledgix_vault.store.read_only import frozen_view


@pytest.fixture
def settings(vault: Any) -> Settings:
    return Settings.load(data_dir=vault.data)


@pytest.fixture
def backup(settings: Settings, tmp_path: Path) -> Path:
    return back_up(settings, tmp_path / "backup.tar").file


@pytest.fixture
def moved(tmp_path: Path) -> Settings:
    """Where backups are put back."""
    return Settings.load(data_dir=tmp_path / "moved")


def put_beside(original: Settings, moved: Settings) -> None:
    """What is not in a backup."""
    shutil.copy(original.key_file, moved.key_file)
    shutil.copy(original.high_water, moved.high_water)


def test_from_one_directory_to_another_by_the_commands(cli: Any, vault: Any, tmp_path: Path) -> None:
    settings = Settings.load(data_dir=vault.data)
    ask(settings, "keys.create", {"name": "a", "preset": "agent"})
    file, data = tmp_path / "backup.tar", tmp_path / "moved"
    made = cli.run("backup", "--data", vault.data, "--to", file)
    assert made.status == 0
    assert f"the key file {settings.key_file}" in made.out
    assert f"the high-water file {settings.high_water}" in made.out

    restored = cli.run("restore", "--from", file, "--data", data)
    assert restored.status == 0
    assert f"{data / 'keys' / 'unlock.key'}  (what opens the keys)" in restored.out
    assert f"{data / 'high-water.db'}  (the high-water file of the original)" in restored.out

    moved = Settings.load(data_dir=data)
    with pytest.raises(StartRefused, match=r"The key file .* is missing"), open_vault(moved):
        pass
    shutil.copy(settings.key_file, moved.key_file)
    with pytest.raises(StartRefused, match=r"The high-water file .* is missing"), open_vault(moved):
        pass
    shutil.copy(settings.high_water, moved.high_water)
    assert ask(moved, "keys.list", {}) == ask(settings, "keys.list", {})


def test_modes_and_contents(settings: Settings, backup: Path, moved: Settings) -> None:
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert sorted(path.name for path in backup.parent.iterdir()) == ["backup.tar", "vault"]
    content = backup.read_bytes()
    assert settings.key_file.read_bytes().strip() not in content
    with tarfile.open(backup) as tar:
        names = tar.getnames()
    keys = sorted(f"keys/{path.name}" for path in settings.key_directory.glob("*.pem"))
    assert names == ["manifest.json", "vault.db", *keys]
    restore_backup(backup, moved.data_dir)
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in [moved.data_dir, *moved.data_dir.rglob("*")]}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in found.items() if path.is_file()} == {0o600}
    assert len(found) == 2 + 1 + len(keys)


def test_nothing_is_replaced(settings: Settings, backup: Path) -> None:
    before = backup.read_bytes()
    with pytest.raises(StartRefused, match="There is a file"):
        back_up(settings, backup)
    assert backup.read_bytes() == before
    with pytest.raises(StartRefused, match="is not empty"):
        restore_backup(backup, settings.data_dir)


def test_an_older_backup_than_what_was_signed_is_refused(settings: Settings, backup: Path, moved: Settings) -> None:
    ask(settings, "keys.create", {"name": "after the backup", "preset": "agent"})
    restore_backup(backup, moved.data_dir)
    put_beside(settings, moved)
    with (
        pytest.raises(StartRefused, match="has 2 events, but a checkpoint over 3 was signed") as refused,
        open_vault(moved),
    ):
        pass
    assert "what a restored backup looks like" in refused.value.remedy


def test_with_a_passphrase_the_salt_goes_along(tmp_path: Path) -> None:
    original = Settings.load(data_dir=tmp_path / "original", key_passphrase="correct horse battery")
    initialise(original, "acme", Owner("owner@example.com", "no hash"))
    file = back_up(original, tmp_path / "backup.tar").file
    assert b"correct horse battery" not in file.read_bytes()
    moved = Settings.load(data_dir=tmp_path / "moved", key_passphrase="correct horse battery")
    restore_backup(file, moved.data_dir)
    shutil.copy(original.high_water, moved.high_water)
    with open_vault(moved):
        pass


def test_a_missing_key_makes_no_backup(settings: Settings, tmp_path: Path) -> None:
    next(settings.key_directory.glob("*.pem")).unlink()
    with pytest.raises(StartRefused, match=r"The signing key .* is missing"):
        back_up(settings, tmp_path / "backup.tar")
    assert not (tmp_path / "backup.tar").exists()


def test_a_damaged_database_makes_no_backup(settings: Settings, tmp_path: Path) -> None:
    content = bytearray(settings.database_file.read_bytes())
    content[4096 * 3 : 4096 * 30] = b"\xa5" * 4096 * 27
    settings.database_file.write_bytes(content)
    with pytest.raises(StartRefused, match=r"is damaged|can't be"):
        back_up(settings, tmp_path / "backup.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["vault"]


def test_a_place_that_cannot_be_written(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="can't be written: No such file"):
        back_up(settings, tmp_path / "nowhere" / "backup.tar")


Members = list[tuple[tarfile.TarInfo, bytes]]


def _members(backup: Path) -> Members:
    with tarfile.open(backup) as tar:
        found = []
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            found.append((member, content.read()))
        return found


def _written(target: Path, members: Members) -> Path:
    with tarfile.open(target, "w") as tar:
        for member, content in members:
            tar.addfile(member, io.BytesIO(content))
    return target


def _manifest(members: Members, change: Callable[[Any], None]) -> Members:
    stated = json.loads(members[0][1])
    change(stated)
    content = json.dumps(stated).encode()
    member = tarfile.TarInfo("manifest.json")
    member.size = len(content)
    return [(member, content), *members[1:]]


def _extra(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, link
    return member, b""


def _rename(stated: Any) -> None:
    stated["files"][1]["name"] = "../evil.pem"


def _wrong_hash(stated: Any) -> None:
    stated["files"][0]["sha256"] = "0" * 64


def _other_format(stated: Any) -> None:
    stated["format"] = "ledgix-vault-backup-9"


def _no_database(stated: Any) -> None:
    stated["database"] = "postgresql"


def _swap(members: Members) -> Members:
    (first, a), (second, b) = members[2:4]
    return [*members[:2], (first, b), (second, a)]


LINK = _extra("vault.db", tarfile.SYMTYPE, "/etc/passwd")
ALTERED: dict[str, tuple[Callable[[Members], Members], str]] = {
    "a byte": (lambda all_: [*all_[:1], (all_[1][0], b"X" + all_[1][1][1:]), *all_[2:]], "'vault.db' was changed"),
    "two keys swapped": (_swap, "was changed or cut off"),
    "no manifest": (lambda all_: all_[1:], "its first member isn't manifest.json"),
    "nothing": (lambda all_: all_[:0], "its first member isn't manifest.json"),
    "a member gone": (lambda all_: all_[:-1], "it lacks keys/"),
    "a member twice": (lambda all_: [*all_, all_[-1]], "isn't what the manifest says"),
    "a member more": (lambda all_: [*all_, _extra("keys/unlock.key")], "'keys/unlock.key' isn't what"),
    "a way out": (lambda all_: [*all_, _extra("../evil")], "'../evil' isn't what"),
    "a link": (
        lambda all_: [all_[0], _extra("vault.db", tarfile.SYMTYPE, "/etc/passwd"), *all_[2:]],
        "'vault.db' isn't",
    ),
    "a directory": (lambda all_: [*all_, _extra("keys", tarfile.DIRTYPE)], "'keys' isn't what"),
    "a stated way out": (lambda all_: _manifest(all_, _rename), "names '../evil.pem', which no data directory has"),
    "a stated hash": (lambda all_: _manifest(all_, _wrong_hash), "'vault.db' was changed"),
    "another format": (lambda all_: _manifest(all_, _other_format), "its format is 'ledgix-vault-backup-9'"),
    "a contradiction": (lambda all_: _manifest(all_, _no_database), "contradicts itself"),
    "a manifest of nothing": (lambda all_: _manifest(all_, lambda stated: stated.clear()), "manifest can't be read"),
}


@pytest.mark.parametrize(("alter", "said"), ALTERED.values(), ids=ALTERED.keys())
def test_an_altered_backup_leaves_nothing_behind(
    backup: Path, moved: Settings, alter: Callable[[Members], Members], said: str
) -> None:
    altered = _written(backup.with_name("altered.tar"), alter(_members(backup)))
    _check_refused(altered, moved.data_dir, said)


def _check_refused(backup: Path, data_dir: Path, said: str) -> None:
    before = sorted(data_dir.parent.iterdir())
    with pytest.raises(StartRefused) as refused:
        restore_backup(backup, data_dir)
    assert said in refused.value.detail
    assert sorted(data_dir.parent.iterdir()) == before


@pytest.mark.parametrize("kept", [0, 300, 512, 2000, 100_000])
def test_a_backup_that_was_cut_off(backup: Path, moved: Settings, kept: int) -> None:
    backup.write_bytes(backup.read_bytes()[:kept])
    _check_refused(backup, moved.data_dir, "can't be restored")


def test_any_other_file(moved: Settings, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"hello" * 1000)
    _check_refused(tmp_path / "text", moved.data_dir, "isn't a backup of Ledgix")
    _check_refused(tmp_path / "missing", moved.data_dir, "No such file")


def test_going_on_without_the_high_water_file(settings: Settings, backup: Path, moved: Settings) -> None:
    restore_backup(backup, moved.data_dir)
    shutil.copy(settings.key_file, moved.key_file)
    with pytest.raises(StartRefused, match=r"The high-water file .* is missing"):
        recover_vault(moved, "volume lost", cells_lost=False)
    (recovered,) = recover_vault(moved, "volume lost", cells_lost=True)
    assert (recovered.events_left, recovered.lost) == (2, None)
    assert ask(moved, "tenants.list", {})["tenants"][0]["ledger_entries"] == 3
    with frozen_view(moved) as connection:
        assert check_vault(connection, read_cells(moved.high_water), partial(open_keys, moved)).intact
    with pytest.raises(StartRefused, match="There is a high-water file"):
        recover_vault(moved, "again", cells_lost=True)


def test_a_recovery_that_fails_leaves_no_empty_high_water_file(settings: Settings) -> None:
    settings.high_water.unlink()
    settings.key_file.unlink()
    with pytest.raises(StartRefused, match=r"The key file .* is missing"):
        recover_vault(settings, "volume lost", cells_lost=True)
    assert not settings.high_water.exists()

"""Durable private files: whole or not at all, and nobody else's business."""

import os
import stat
from pathlib import Path

import pytest

from ledgix_vault import files


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def effects(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What reaches the disk, in order: syncs of files and directories, and new names."""
    seen: list[str] = []
    fsync, replace, link = os.fsync, Path.replace, os.link

    def record_sync(handle: int) -> None:
        seen.append("sync directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "sync file")
        fsync(handle)

    def record_replace(self: Path, target: Path) -> Path:
        seen.append("name")
        return replace(self, target)

    def record_link(source: Path, target: Path) -> None:
        seen.append("name")
        link(source, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "link", record_link)
    monkeypatch.setattr(Path, "replace", record_replace)
    return seen


@pytest.mark.parametrize("write", [files.write_private_file, files.create_private_file])
def test_content_is_synced_before_it_gets_its_name_and_the_name_after(
    write, tmp_path: Path, effects: list[str]
) -> None:
    old_umask = os.umask(0)
    try:
        write(tmp_path / "secret", b"content")
    finally:
        os.umask(old_umask)

    assert effects == ["sync file", "name", "sync directory"]
    assert (tmp_path / "secret").read_bytes() == b"content"
    assert mode(tmp_path / "secret") == 0o600
    assert os.listdir(tmp_path) == ["secret"]


def test_write_replaces_and_create_does_not(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    files.write_private_file(path, b"one")
    files.write_private_file(path, b"two")
    with pytest.raises(FileExistsError):
        files.create_private_file(path, b"three")

    assert path.read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["secret"]


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret"
    files.write_private_file(path, b"old")

    def disk_is_full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_is_full)
    with pytest.raises(OSError, match="No space"):
        files.write_private_file(path, b"new")

    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["secret"]


def test_directory_is_private_and_made_once(tmp_path: Path, effects: list[str]) -> None:
    files.make_private_directory(tmp_path / "keys")
    files.make_private_directory(tmp_path / "keys")

    assert mode(tmp_path / "keys") == 0o700
    assert effects == ["sync directory"]


def test_a_file_in_the_directorys_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("")
    with pytest.raises(FileExistsError):
        files.make_private_directory(tmp_path / "keys")


@pytest.mark.parametrize(("bits", "shared"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_others_may_read(bits: int, shared: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    path.chmod(bits)
    assert files.others_may_read(path) is shared

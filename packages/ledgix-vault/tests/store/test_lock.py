"""One Vault for each data directory, whatever way the other one ended."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ledgix_vault.errors import StartRefused
from ledgix_vault.store.lock import DirectoryLock

HOLDER = """
import sys
from pathlib import Path
from ledgix_vault.store.lock import DirectoryLock
lock = DirectoryLock.acquire(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_vault_is_refused_and_the_first_one_named(tmp_path: Path) -> None:
    with DirectoryLock.acquire(tmp_path), pytest.raises(StartRefused) as refused:
        DirectoryLock.acquire(tmp_path)
    assert refused.value.detail == f"Another Vault (pid {os.getpid()}) uses {tmp_path}."
    assert "Stop it" in refused.value.remedy


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    lock = DirectoryLock.acquire(tmp_path)
    lock.release()
    lock.release()
    DirectoryLock.acquire(tmp_path).release()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StartRefused, match=rf"pid {holder.pid}\)"):
            DirectoryLock.acquire(tmp_path)
        holder.kill()
        holder.wait()
        DirectoryLock.acquire(tmp_path).release()


def test_a_longer_pid_of_an_earlier_vault_leaves_no_digits(tmp_path: Path) -> None:
    (tmp_path / "vault.lock").write_text("99999999999\n")
    with DirectoryLock.acquire(tmp_path):
        assert (tmp_path / "vault.lock").read_text() == f"{os.getpid()}\n"


def test_the_lock_file_is_private(tmp_path: Path) -> None:
    DirectoryLock.acquire(tmp_path).release()
    assert (tmp_path / "vault.lock").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("missing", ["gone", "file/below"])
def test_a_missing_data_directory_is_named(missing: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartRefused) as refused:
        DirectoryLock.acquire(tmp_path / missing)
    assert refused.value.detail == f"There is no data directory {tmp_path / missing}."
    assert f"ledgix-vault init --data {tmp_path / missing}" in refused.value.remedy


def test_a_directory_that_cannot_be_locked_is_named(tmp_path: Path) -> None:
    (tmp_path / "vault.lock").mkdir()
    with pytest.raises(StartRefused, match="can't be locked") as refused:
        DirectoryLock.acquire(tmp_path)
    assert str(tmp_path) in refused.value.detail

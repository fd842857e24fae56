"""One Vault for each data directory: SQLite has one writer, and two signers would fork the ledger.

The lock belongs to the open file, not to the file's name, so the kernel takes it away with the process, however it
ends; the file itself stays.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from ledgix_vault.errors import InUse, StartRefused
from ledgix_vault.files import OWNER_ONLY_FILE

LOCK_FILE = "vault.lock"


class DirectoryLock:
    """Held from `acquire` to `release`, or to the end of the process."""

    def __init__(self, handle: int, path: Path) -> None:
        self._handle: int | None = handle
        self._path = path

    @classmethod
    def acquire(cls, data_dir: Path) -> DirectoryLock:
        """Take the lock or refuse at once, naming the process that holds it."""
        path = data_dir / LOCK_FILE
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, OWNER_ONLY_FILE)
        except OSError as error:
            raise _unusable(data_dir, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
            os.close(handle)
            raise InUse(
                f"Another Vault (pid {holder or 'unknown'}) uses {data_dir}.",
                "Stop it first, or give this one another data directory.",
            ) from None
        except OSError as error:
            os.close(handle)
            raise _unusable(data_dir, error) from error
        return cls(handle, path)

    def release(self) -> None:
        """Give it back; a second call does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def __enter__(self) -> DirectoryLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"DirectoryLock({str(self._path)!r}, {'held' if self._handle is not None else 'released'})"


def _unusable(data_dir: Path, error: OSError) -> StartRefused:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return StartRefused(
            f"There is no data directory {data_dir}.",
            f"Make one with `ledgix-vault init --data {data_dir}`, or give the one that you made.",
        )
    return StartRefused(
        f"The data directory {data_dir} can't be locked: {error.strerror}.",
        "It must be on a local disk and writable for the user that runs the Vault.",
    )

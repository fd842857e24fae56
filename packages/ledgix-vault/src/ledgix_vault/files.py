"""Files that must still be there after a power cut, and that nobody else may read.

Durable means: written to a temporary file in the same directory, synced, renamed, and the directory synced as well;
a reader sees the old file or the whole new one, never a part.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

OWNER_ONLY_FILE = 0o600
OWNER_ONLY_DIRECTORY = 0o700


def make_private_directory(path: Path) -> None:
    """Make `path` (mode 0700) unless it is there; durable on return. Parents must exist."""
    try:
        path.mkdir(mode=OWNER_ONLY_DIRECTORY)
    except FileExistsError:
        if not path.is_dir():
            raise
        return
    sync_directory(path.parent)


def write_private_file(path: Path, content: bytes) -> None:
    """Make or replace `path` (mode 0600); durable on return."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_synced(draft, content)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
        raise
    sync_directory(path.parent)


def create_private_file(path: Path, content: bytes) -> None:
    """Make `path` (mode 0600), durable on return; FileExistsError if it is there, which is then left as it was."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        _write_synced(draft, content)
        os.link(draft, path)  # unlike a rename, a link never replaces
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()
    sync_directory(path.parent)


def others_may_read(path: Path) -> bool:
    """Whether group or others have any right on the file."""
    return bool(stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO))


def sync_directory(path: Path) -> None:
    """Make names that were added to the directory, or taken from it, survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_synced(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_FILE)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

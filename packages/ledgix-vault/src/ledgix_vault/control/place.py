"""Where the control socket of a data directory is.

The system allows about 100 bytes for a socket's path. A longer one goes into a private temporary directory, and a file
in the data directory says where.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import tempfile
from pathlib import Path

from ledgix_vault.errors import StartRefused
from ledgix_vault.files import OWNER_ONLY_FILE, write_private_file

SOCKET_FILE = "control.sock"
POINTER_FILE = "control.path"
LONGEST_PATH = 100  # bytes; sun_path holds 108 on Linux, 104 elsewhere, with a zero at the end
TEMPORARY_PREFIX = "ledgix-vault-"


def find_socket(data_dir: Path) -> Path:
    """Where a running Vault would listen; nothing needs to be there."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path((data_dir / POINTER_FILE).read_text("utf-8").strip())
    return data_dir / SOCKET_FILE


def bind_socket(data_dir: Path) -> socket.socket:
    """A socket (mode 0600) for a Vault that holds the directory's lock: whatever lies there is a dead one's."""
    clear_socket(data_dir)
    path = data_dir / SOCKET_FILE
    if len(os.fsencode(path)) > LONGEST_PATH:
        path = Path(tempfile.mkdtemp(prefix=TEMPORARY_PREFIX)) / SOCKET_FILE
        write_private_file(data_dir / POINTER_FILE, f"{path}\n".encode())
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(OWNER_ONLY_FILE)
    except OSError as error:
        listener.close()
        raise StartRefused(
            f"The control socket {path} can't be made: {error.strerror}.",
            "Take away what is in its place; the directory must be on a local disk and writable for the Vault's user.",
        ) from error
    return listener


def clear_socket(data_dir: Path) -> None:
    """Takes away the socket, and its temporary directory if it has one; never anything else."""
    path = find_socket(data_dir)
    with contextlib.suppress(OSError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
    if path.parent != data_dir and path.parent.name.startswith(TEMPORARY_PREFIX):
        with contextlib.suppress(OSError):
            path.parent.rmdir()
    with contextlib.suppress(FileNotFoundError):
        (data_dir / POINTER_FILE).unlink()

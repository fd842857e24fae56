"""Putting a backup into a new data directory.

Nothing that a backup says is believed before it was checked: names, sizes and SHA-256 of the manifest. The directory
appears under its name when all of it is there and synced; a crash before leaves a hidden one.
"""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from ledgix_vault.errors import StartRefused
from ledgix_vault.files import OWNER_ONLY_DIRECTORY, sync_directory
from ledgix_vault.store.archive import Manifest, extract_archive


@dataclass(frozen=True, slots=True)
class Restored:
    """A data directory made from a backup."""

    data_dir: Path
    manifest: Manifest


def restore_backup(source: Path, data_dir: Path) -> Restored:
    """Makes the data directory, durable on return; refuses a directory in use and a backup that isn't whole."""
    data_dir = data_dir.absolute()
    if data_dir.exists() and (not data_dir.is_dir() or any(data_dir.iterdir())):
        raise StartRefused(f"{data_dir} is not empty.", "Give a new or an empty directory; nothing was changed.")
    draft = data_dir.with_name(f".{data_dir.name}.{secrets.token_hex(8)}")
    try:
        draft.mkdir(mode=OWNER_ONLY_DIRECTORY, parents=True)
        manifest = extract_archive(source, draft)
        sync_directory(draft)
        draft.rename(data_dir)
        sync_directory(data_dir.parent)
    except OSError as error:
        raise StartRefused(
            f"{error.filename or data_dir} can't be used: {error.strerror}.",
            "The backup must be readable, and the new directory's parent writable with room for all of it.",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Restored(data_dir, manifest)

"""A backup: one file with everything that a Vault needs, but for what must never lie beside it.

It is a plain tar: `manifest.json`, then `vault.db` as of one moment, then the sealed signing keys. Left out on purpose:

- the unlock key or passphrase     whoever steals a backup must not be able to sign with it
- the high-water file              it tells an old backup from the newest state, so it must not go back with it

Order and crash safety
1. the database is copied, then the keys    a key's file is durable before any row names it, so none can be missing
2. all is written beside the target         a crash leaves a hidden file, which is no backup
3. synced, then linked to its name          from here on it is whole; a file that was there is never replaced
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from ledgix_vault.errors import StartRefused
from ledgix_vault.files import OWNER_ONLY_DIRECTORY, sync_directory
from ledgix_vault.settings import Settings
from ledgix_vault.store.archive import DATABASE_MEMBER, Archived, write_archive
from ledgix_vault.store.read_only import copy_sqlite, frozen_view
from ledgix_vault.store.signing_keys import load_signing_keys


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup."""

    file: Path
    size: int
    keys: int
    with_database: bool


def back_up(settings: Settings, target: Path) -> Backup:
    """Writes a backup of a Vault, running or not, to the new file `target` (mode 0600); durable on return.

    With PostgreSQL it holds the keys only; the database is `pg_dump`'s.
    """
    target = target.absolute()
    if target.exists():
        raise StartRefused(f"There is a file {target} already.", "Give a new name; a backup never replaces another.")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        draft.mkdir(mode=OWNER_ONLY_DIRECTORY)
        return _write(settings, draft, target)
    except FileExistsError:
        raise StartRefused(f"There is a file {target} already.", "Give a new name.") from None
    except OSError as error:
        raise StartRefused(
            f"The backup {target} can't be written: {error.strerror}.",
            "Give a file in a directory that you may write, with room for the whole database.",
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _write(settings: Settings, draft: Path, target: Path) -> Backup:
    with_database = settings.database_url is None
    contents = []
    if with_database:
        copy = draft / "database"
        copy_sqlite(settings.database_file, copy)
        contents.append(Archived(DATABASE_MEMBER, copy))
    sealed = _sealed_keys(settings)
    _check_complete(settings, {entry.source.stem for entry in sealed})
    archive = draft / "archive"
    write_archive(archive, [*contents, *sealed], with_database=with_database)
    _give_name(archive, target)
    keys = sum(entry.source.suffix == ".pem" for entry in sealed)
    return Backup(target, target.stat().st_size, keys, with_database)


def _sealed_keys(settings: Settings) -> list[Archived]:
    """The encrypted private keys, and the salt that a passphrase needs; never what opens them."""
    directory = settings.key_directory
    found = [*sorted(directory.glob("*.pem")), *directory.glob("unlock.salt")]
    return [Archived(f"keys/{path.name}", path) for path in found]


def _check_complete(settings: Settings, found: set[str]) -> None:
    with frozen_view(settings) as connection:
        needed = [key.public.kid for key in load_signing_keys(connection) if key.retired_at is None]
    for kid in needed:
        if kid not in found:
            raise StartRefused(
                f"The signing key {settings.key_directory / f'{kid}.pem'} is missing.",
                "A backup without it would be useless. Put it back from an older backup, then make this one.",
            )


def _give_name(archive: Path, target: Path) -> None:
    try:
        os.link(archive, target)  # unlike a rename, a link never replaces
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with contextlib.suppress(FileNotFoundError):
            target.lstat()
            raise FileExistsError(str(target)) from None
        archive.rename(target)
    sync_directory(target.parent)

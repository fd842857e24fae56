"""A backup as a file: a plain tar that any system opens, whose first member says what the others must be.

- Only the names that a data directory has are ever written out, as regular files, mode 0600.
- A member counts only with the size and the SHA-256 of the manifest; one more, one less or one changed, and the whole
  backup is refused.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import ledgix_vault
from ledgix_vault.errors import StartRefused
from ledgix_vault.files import OWNER_ONLY_DIRECTORY, OWNER_ONLY_FILE, sync_directory

FORMAT = "ledgix-vault-backup-1"
MANIFEST_MEMBER = "manifest.json"
DATABASE_MEMBER = "vault.db"
LONGEST_MANIFEST = 256 * 1024 * 1024
_KNOWN_NAME = re.compile(r"vault\.db|keys/[A-Za-z0-9_-]{43}\.pem|keys/unlock\.salt")
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Archived:
    """A file on its way into the archive, and the name that it has there."""

    name: str
    source: Path


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself. `files` has (size, hex SHA-256) by name."""

    made_at: str
    version: str
    with_database: bool
    files: Mapping[str, tuple[int, str]]


def write_archive(target: Path, contents: Iterable[Archived], *, with_database: bool) -> None:
    """Writes the new file `target` (mode 0600), synced."""
    entries = list(contents)
    manifest = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": ledgix_vault.__version__,
        "database": "sqlite" if with_database else "postgresql",
        "files": [
            {"name": entry.name, "size": entry.source.stat().st_size, "sha256": _sha256(entry.source)}
            for entry in entries
        ],
    }
    handle = os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_FILE)
    with os.fdopen(handle, "w+b") as file:
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            described = json.dumps(manifest, indent=1).encode()
            tar.addfile(_member(MANIFEST_MEMBER, len(described)), io.BytesIO(described))
            for entry in entries:
                with entry.source.open("rb") as content:
                    tar.addfile(_member(entry.name, entry.source.stat().st_size), content)
        file.flush()
        os.fsync(file.fileno())


def extract_archive(source: Path, target: Path) -> Manifest:
    """Writes the backup's files below the directory `target`, each synced; raises `StartRefused` if it isn't whole."""
    try:
        with tarfile.open(source, mode="r:") as tar:
            manifest = _read_manifest(tar)
            missing = set(manifest.files)
            while (member := tar.next()) is not None:
                _extract(tar, member, manifest, missing, target)
                missing.discard(member.name)
    except tarfile.TarError as error:
        raise _refusal(source, f"it isn't a backup of Ledgix or was cut off ({error})") from error
    except _NotWhole as flaw:
        raise _refusal(source, str(flaw)) from None
    if missing:
        raise _refusal(source, f"it lacks {', '.join(sorted(missing))}")
    for directory in {(target / name).parent for name in manifest.files}:
        sync_directory(directory)
    return manifest


class _NotWhole(Exception):
    """The archive isn't what its manifest says."""


def _read_manifest(tar: tarfile.TarFile) -> Manifest:
    member = tar.next()
    if member is None or member.name != MANIFEST_MEMBER or not member.isreg() or member.size > LONGEST_MANIFEST:
        raise _NotWhole(f"its first member isn't {MANIFEST_MEMBER}")
    content = tar.extractfile(member)
    assert content is not None
    try:
        stated: Any = json.loads(content.read())
        if stated["format"] != FORMAT:
            raise _NotWhole(f"its format is {stated['format']!r}; this version reads {FORMAT}")
        files = {str(file["name"]): (int(file["size"]), str(file["sha256"])) for file in stated["files"]}
        manifest = Manifest(str(stated["made_at"]), str(stated["version"]), stated["database"] == "sqlite", files)
    except (ValueError, KeyError, TypeError) as error:
        raise _NotWhole("its manifest can't be read") from error
    strange = [name for name in files if not _KNOWN_NAME.fullmatch(name)]
    if strange:
        raise _NotWhole(f"its manifest names {strange[0]!r}, which no data directory has")
    if manifest.with_database != (DATABASE_MEMBER in files):
        raise _NotWhole("its manifest contradicts itself about the database")
    return manifest


def _extract(
    tar: tarfile.TarFile, member: tarfile.TarInfo, manifest: Manifest, missing: set[str], target: Path
) -> None:
    stated = manifest.files.get(member.name)
    if stated is None or member.name not in missing or not member.isreg() or member.size != stated[0]:
        raise _NotWhole(f"its member {member.name!r} isn't what the manifest says")
    content = tar.extractfile(member)
    assert content is not None
    path = target / member.name
    path.parent.mkdir(mode=OWNER_ONLY_DIRECTORY, exist_ok=True)
    digest, length = hashlib.sha256(), 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, OWNER_ONLY_FILE)
    with os.fdopen(handle, "wb") as file:
        while chunk := content.read(_CHUNK):
            digest.update(chunk)
            length += len(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    if (length, digest.hexdigest()) != stated:
        raise _NotWhole(f"its member {member.name!r} was changed or cut off")


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, OWNER_ONLY_FILE
    return member


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return _digest(file)


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _refusal(source: Path, why: str) -> StartRefused:
    return StartRefused(f"The backup {source} can't be restored: {why}.", "Take another one; nothing was changed.")

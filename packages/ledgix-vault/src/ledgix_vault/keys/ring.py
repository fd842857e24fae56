"""The private signing keys: one encrypted PEM file each, all of them in memory while the Vault runs.

- A key that `generate` returned is on disk for good: what it signs can always be continued after a restart.
- A file holds the key that its name promises: the name is the RFC 7638 thumbprint, compared at each start.
- Nothing on disk opens without the unlock secret; no secret shows in a repr or a message.
"""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from ledgix.formats.keys import PrivateKey, PublicKey
from ledgix_vault.errors import StartRefused, Unavailable
from ledgix_vault.files import OWNER_ONLY_DIRECTORY, create_private_file, make_private_directory, write_private_file
from ledgix_vault.keys.sealing import Seal
from ledgix_vault.keys.sodium import sodium_signer
from ledgix_vault.keys.unlock import Unlock

SALT_FILE = "unlock.salt"
SALT_BYTES = 16
_KID = re.compile(r"[A-Za-z0-9_-]{43}")
_SEALED_PEM = re.compile(
    rb"\s*-----BEGIN ENCRYPTED PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END ENCRYPTED PRIVATE KEY-----\s*"
)
_FROM_BACKUP = "Put it back from a backup of this directory."


class KeyRing:
    """Private keys by kid. Safe to share between threads: keys are only ever added."""

    def __init__(self, directory: Path, password: bytes) -> None:
        self._directory = directory
        self._password = password
        self._keys: dict[str, PrivateKey] = {}
        self.seal = Seal(password)

    @classmethod
    def create(cls, directory: Path, unlock: Unlock) -> KeyRing:
        """An empty ring in `directory`, made unless it is there, mode 0700; refuses one that holds keys."""
        try:
            make_private_directory(directory)
            directory.chmod(OWNER_ONLY_DIRECTORY)
            if any(directory.glob("*.pem")):
                raise StartRefused(
                    f"The directory {directory} holds signing keys already.",
                    "They belong to another Vault. Choose another data directory.",
                )
            salt = _create_salt(directory) if unlock.needs_salt else b""
        except OSError as error:
            raise StartRefused(
                f"The key directory {directory} can't be made: {error.strerror}.",
                "Make its parent directory, writable for the user that runs the Vault.",
            ) from error
        return cls(directory, unlock.pem_password(salt))

    @classmethod
    def open(cls, directory: Path, unlock: Unlock, kids: Iterable[str]) -> KeyRing:
        """The ring with exactly `kids` in memory; StartRefused names the file that stands in the way."""
        if not directory.is_dir():
            raise StartRefused(
                f"The key directory {directory} is missing.",
                "Give the data directory that `ledgix-vault init` made, or put the keys back from a backup.",
            )
        salt = _read_salt(directory) if unlock.needs_salt else b""
        ring = cls(directory, unlock.pem_password(salt))
        for kid in kids:
            ring._keys[kid] = _load(ring._path(kid), kid, ring._password, unlock.origin)
        return ring

    def generate(self) -> PublicKey:
        """A new key pair. On return the private key is durable on disk; no row anywhere needs to name it yet, and a
        crash before one does leaves only an unused file."""
        fresh = Ed25519PrivateKey.generate()
        key = PrivateKey(fresh, sodium_signer(fresh))
        pem = fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(self._password))
        try:
            write_private_file(self._path(key.kid), pem)
        except OSError as error:
            raise Unavailable(f"A new signing key can't be written: {error.strerror}.") from error
        self._keys[key.kid] = key
        return key.public

    def private(self, kid: str) -> PrivateKey:
        """The key from memory."""
        try:
            return self._keys[kid]
        except KeyError:
            raise Unavailable(
                f"This Vault doesn't hold the signing key {kid}; restart it to load keys that were made elsewhere.",
                code="signing_key_missing",
            ) from None

    def __repr__(self) -> str:
        return f"KeyRing({str(self._directory)!r}, {len(self._keys)} keys)"

    def _path(self, kid: str) -> Path:
        if not _KID.fullmatch(kid):  # it becomes a file name
            raise StartRefused(
                f"The store names a signing key {kid[:64]!r}, which is no RFC 7638 thumbprint.",
                "The store is damaged: run `ledgix-vault check`, then put it back from a backup.",
            )
        return self._directory / f"{kid}.pem"


def _load(path: Path, kid: str, password: bytes, origin: str) -> PrivateKey:
    pem = _read(path)
    if not _is_sealed_pem(pem):
        raise StartRefused(f"The signing key {path} is damaged: it isn't an encrypted PEM file.", _FROM_BACKUP)
    try:
        loaded = load_pem_private_key(pem, password)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise StartRefused(
            f"The signing key {path} can't be opened with {origin}.",
            "Use the secret that this Vault was made with. If it is the right one, the file is damaged: put it back "
            "from a backup of this directory.",
        ) from None
    if not isinstance(loaded, Ed25519PrivateKey):
        raise StartRefused(f"The signing key {path} isn't an Ed25519 key.", _FROM_BACKUP)
    key = PrivateKey(loaded, sodium_signer(loaded))
    if key.public.kid != kid:
        raise StartRefused(
            f"The file {path} holds another key: its thumbprint is {key.public.kid}.",
            "Files were mixed up. Put the right one back from a backup of this directory.",
        )
    return key


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise StartRefused(f"The signing key {path} is missing.", _FROM_BACKUP) from None
    except OSError as error:
        raise StartRefused(
            f"The signing key {path} can't be read: {error.strerror}.",
            "Make it readable for the user that runs the Vault.",
        ) from error


def _is_sealed_pem(pem: bytes) -> bool:
    match = _SEALED_PEM.fullmatch(pem)
    if match is None:
        return False
    try:
        base64.b64decode(b"".join(match[1].split()), validate=True)
    except binascii.Error:
        return False
    return True


def _create_salt(directory: Path) -> bytes:
    path = directory / SALT_FILE
    salt = secrets.token_bytes(SALT_BYTES)
    try:
        create_private_file(path, salt.hex().encode() + b"\n")
    except FileExistsError:  # an earlier `init` got this far
        return _read_salt(directory)
    return salt


def _read_salt(directory: Path) -> bytes:
    path = directory / SALT_FILE
    try:
        salt = bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        raise StartRefused(
            f"The file {path} is missing, without which the passphrase opens nothing.",
            "Put it back from a backup of this directory, or unset VAULT_KEY_PASSPHRASE if the keys were made with a "
            "key file.",
        ) from None
    except OSError as error:
        raise StartRefused(
            f"The file {path} can't be read: {error.strerror}.", "Make it readable for the user that runs the Vault."
        ) from error
    except ValueError:
        salt = b""
    if len(salt) != SALT_BYTES:
        raise StartRefused(f"The file {path} is damaged.", _FROM_BACKUP)
    return salt

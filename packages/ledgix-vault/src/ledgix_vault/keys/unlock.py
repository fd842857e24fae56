"""What opens the signing keys on disk: a passphrase that a person keeps, or a file with random bytes.

The key file protects against a copy of the keys alone (a backup, a stolen volume) if it is kept elsewhere; a
passphrase also protects against a copy of the whole directory.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from pathlib import Path

from argon2.low_level import Type, hash_secret_raw

from ledgix_vault.errors import StartRefused
from ledgix_vault.files import create_private_file, others_may_read

KEY_FILE_BYTES = 32
MINIMUM_PASSPHRASE = 8


class Unlock:
    """The secret that seals private keys. Never shows itself; `origin` says in words where it came from."""

    __slots__ = ("_secret", "_stretch", "origin")

    def __init__(self, secret: bytes, *, stretch: bool, origin: str) -> None:
        self._secret = secret
        self._stretch = stretch
        self.origin = origin

    @classmethod
    def from_passphrase(cls, passphrase: str) -> Unlock:
        """The passphrase of VAULT_KEY_PASSPHRASE, at least 8 characters."""
        if len(passphrase) < MINIMUM_PASSPHRASE:
            raise StartRefused(
                f"The key passphrase is shorter than {MINIMUM_PASSPHRASE} characters.",
                "Set VAULT_KEY_PASSPHRASE to a longer one, or leave it unset to use a key file.",
            )
        return cls(passphrase.encode(), stretch=True, origin="the passphrase in VAULT_KEY_PASSPHRASE")

    @classmethod
    def from_file(cls, path: Path) -> Unlock:
        """32 random bytes as base64 in a file that only its owner may read."""
        return cls(_read_key_file(path), stretch=False, origin=f"the key file {path}")

    @classmethod
    def create_file(cls, path: Path) -> Unlock:
        """Make a key file (mode 0600), durable on return; refuses one that is there. Its directory must exist."""
        try:
            create_private_file(path, base64.b64encode(secrets.token_bytes(KEY_FILE_BYTES)) + b"\n")
        except FileExistsError:
            raise StartRefused(
                f"There is a key file {path} already.",
                "It may open the keys of another Vault, so it isn't replaced. Choose another directory.",
            ) from None
        except OSError as error:
            raise StartRefused(
                f"The key file {path} can't be written: {error.strerror}.",
                "Make its directory writable for the user that runs the Vault, or set VAULT_KEY_FILE to another place.",
            ) from error
        return cls.from_file(path)

    @property
    def needs_salt(self) -> bool:
        """Whether the secret is a person's choice, so that `pem_password` stretches it with a stored salt."""
        return self._stretch

    def pem_password(self, salt: bytes) -> bytes:
        """What encrypts the PEM files. A passphrase goes through Argon2id (RFC 9106, second recommended choice) since
        PKCS #8's own 2,048 rounds of PBKDF2 wouldn't slow a guesser down; random bytes need no stretching, and for
        them it is the very line of the key file, so that `openssl pkey -passin file:unlock.key` opens the keys too."""
        key = self._secret
        if self._stretch:
            key = hash_secret_raw(
                key, salt, time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=KEY_FILE_BYTES, type=Type.ID
            )
        return base64.b64encode(key)

    def __repr__(self) -> str:
        return f"Unlock({self.origin})"

    def __reduce__(self) -> str:
        raise TypeError("an Unlock can't be pickled: it would take its secret along")


def _read_key_file(path: Path) -> bytes:
    try:
        if others_may_read(path):
            raise StartRefused(
                f"Other users of this machine have rights on the key file {path}.",
                f"Run: chmod 600 {path}",
            )
        text = path.read_bytes()
    except FileNotFoundError:
        raise StartRefused(
            f"The key file {path} is missing.",
            "Put it back from where it is kept, or set VAULT_KEY_FILE to its place, or VAULT_KEY_PASSPHRASE if the "
            "keys were made with a passphrase.",
        ) from None
    except OSError as error:
        raise StartRefused(
            f"The key file {path} can't be read: {error.strerror}.",
            "Make it readable for the user that runs the Vault, and for nobody else.",
        ) from error
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != KEY_FILE_BYTES:
        raise StartRefused(
            f"The key file {path} is damaged: it must hold {KEY_FILE_BYTES} bytes as base64.",
            "Put back the original; the signing keys can't be opened without it.",
        )
    return secret

"""Sealing small secrets that the Vault must be able to use again (a token for somebody else's API).

The key comes from what opens the signing keys, so a copy of the database alone opens nothing. What is sealed is bound
to its context: a row that was moved to another tenant doesn't open.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NONCE_BYTES = 12
_PURPOSE = b"ledgix.sealed-secret.v1"


class SealBroken(Exception):
    """These bytes weren't sealed by this Vault for this context."""


class Seal:
    """Seals and opens. Never shows its key."""

    __slots__ = ("_cipher",)

    def __init__(self, password: bytes) -> None:
        key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(password)
        self._cipher = ChaCha20Poly1305(key)

    def close(self, secret: str, context: str) -> bytes:
        """The sealed secret (RFC 8439), a fresh nonce in front."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), context.encode())

    def open(self, sealed: bytes, context: str) -> str:
        """The secret again; raises `SealBroken`."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SealBroken from error

    def __repr__(self) -> str:
        return "Seal()"

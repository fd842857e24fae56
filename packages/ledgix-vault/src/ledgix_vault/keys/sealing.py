"""Secrets that the database must hold but not show: encrypted by what also opens the signing keys.

AES-256-GCM (NIST SP 800-38D) with a random nonce in front; the key comes from the unlock secret by HKDF (RFC 5869).
The place that a secret is for is authenticated, so that a sealed secret is worth nothing in another tenant's row.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from ledgix_vault.errors import Unavailable

NONCE_BYTES = 12
_INFO = b"ledgix-vault sealed secret v1"


class Seal:
    """Seals and opens secrets; never shows its key."""

    __slots__ = ("_cipher",)

    def __init__(self, password: bytes) -> None:
        self._cipher = AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=_INFO).derive(password))

    def close(self, secret: str, place: str) -> bytes:
        """The secret, sealed for one place (a tenant and a purpose)."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, secret.encode(), place.encode())

    def open(self, sealed: bytes, place: str) -> str:
        """The secret again; `Unavailable` when it was sealed with another key or for another place."""
        try:
            return self._cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode()).decode()
        except (InvalidTag, ValueError):
            raise Unavailable(
                "A stored secret can't be opened with this Vault's key; set it again.", code="secret_unreadable"
            ) from None

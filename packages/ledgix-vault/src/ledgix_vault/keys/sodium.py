"""Signing by libsodium: the same RFC 8032 signatures as OpenSSL's, in less time (20 µs instead of 32).

Two signatures are the largest single cost of a decision. Verifying stays with `cryptography`, so that what one library
signs, another one checks.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from nacl.bindings import crypto_sign, crypto_sign_BYTES, crypto_sign_seed_keypair


def sodium_signer(key: Ed25519PrivateKey) -> Callable[[bytes], bytes]:
    """The signing function of `key`: message in, 64 bytes out."""
    _, secret = crypto_sign_seed_keypair(key.private_bytes_raw())

    def sign(message: bytes) -> bytes:
        return crypto_sign(message, secret)[:crypto_sign_BYTES]

    return sign

"""Recovery codes: ten, each good once, for whoever lost every other second factor. Shown once, kept as SHA-256.

A code has 80 random bits, so a fast hash is enough: nobody tries 2^80.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from hashlib import sha256

HOW_MANY = 10
_BYTES = 10
_GROUP = 4
_CONFUSED = str.maketrans({"0": "O", "1": "I", "8": "B"})
"""Digits that base32 (RFC 4648) lacks, because they look like these letters."""


def new_recovery_codes() -> list[str]:
    """Ten codes as people write them down: `ABCD-EFGH-IJKL-MNOP`."""
    return [_written(base64.b32encode(secrets.token_bytes(_BYTES)).decode()) for _ in range(HOW_MANY)]


def hash_recovery_code(code: str) -> bytes:
    """What a code is looked up by, however it was typed: small letters, spaces, without hyphens."""
    plain = "".join(character for character in code.upper() if character.isalnum()).translate(_CONFUSED)
    return sha256(plain.encode("utf-8", "surrogatepass")).digest()


def codes_digest(hashes: Iterable[bytes]) -> str:
    """SHA-256 over all hashes in order, in hex: what the ledger says of a set of codes."""
    return sha256(b"".join(sorted(hashes))).hexdigest()


def _written(code: str) -> str:
    return "-".join(code[at : at + _GROUP] for at in range(0, len(code), _GROUP))

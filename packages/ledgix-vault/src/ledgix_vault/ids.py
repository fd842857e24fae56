"""Identifiers and salts."""

from __future__ import annotations

import secrets
import time
import uuid


def new_id() -> str:
    """A UUID version 7 (RFC 9562 section 5.7): random, but in the order of time, so that indexes grow at one end."""
    milliseconds = time.time_ns() // 1_000_000
    random_bits = secrets.randbits(74)
    value = (
        (milliseconds & (1 << 48) - 1) << 80
        | 0x7 << 76
        | (random_bits >> 62) << 64
        | 0b10 << 62
        | (random_bits & (1 << 62) - 1)
    )
    return str(uuid.UUID(int=value))


def new_salt() -> str:
    """32 hex characters: an event of few possible values can't be guessed from its hash."""
    return secrets.token_hex(16)

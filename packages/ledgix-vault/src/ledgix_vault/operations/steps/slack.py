"""What linking Slack users and hearing their clicks share."""

from __future__ import annotations

from hashlib import sha256


def hash_code(code: str) -> bytes:
    """How a code is stored."""
    return sha256(code.encode("utf-8", "replace")).digest()

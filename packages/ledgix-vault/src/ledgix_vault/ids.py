"""Identifiers and salts, from the operating system's random numbers."""

from __future__ import annotations

import os
import re
import threading
import time

_DRAWN_AT_ONCE = 4096
"""Random bytes drawn by one system call: several identifiers are needed for each decision."""


class _Pool(threading.local):
    """Unused random bytes of one thread; each byte is given out once. (A Vault never forks.)"""

    def __init__(self) -> None:
        self._drawn = ""
        self._at = 0

    def hex(self, digits: int) -> str:
        if len(self._drawn) - self._at < digits:
            self._drawn, self._at = os.urandom(_DRAWN_AT_ONCE).hex(), 0
        self._at += digits
        return self._drawn[self._at - digits : self._at]


_pool = _Pool()
_VARIANT = "89ab"  # RFC 9562 section 4.1: the two highest bits are 10


def new_id() -> str:
    """A UUID version 7 (RFC 9562 section 5.7): 74 random bits in the order of time, so that indexes grow at one end."""
    milliseconds = f"{time.time_ns() // 1_000_000:012x}"
    random = _pool.hex(19)
    variant = _VARIANT[int(random[3], 16) & 3]
    return f"{milliseconds[:8]}-{milliseconds[8:]}-7{random[:3]}-{variant}{random[4:7]}-{random[7:]}"


_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_id(text: str) -> bool:
    """Whether `text` has the form of an identifier of ours. What callers send need not: it may even hold a NUL, which
    PostgreSQL refuses to look up."""
    return _ID.fullmatch(text) is not None


def new_salt() -> str:
    """32 hex characters: an event of few possible values can't be guessed from its hash."""
    return _pool.hex(32)

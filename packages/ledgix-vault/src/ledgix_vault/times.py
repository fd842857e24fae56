"""Moments: microseconds since the Unix epoch inside, RFC 3339 in UTC with `Z` outside."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

MICROSECONDS = 1_000_000


def rfc3339(moment: int) -> str:
    """`2026-01-31T23:59:59.000001Z`: RFC 3339 section 5.6, always six digits, always UTC."""
    seconds, micros = divmod(moment, MICROSECONDS)
    return f"{_whole_seconds(seconds)}.{micros:06d}Z"


@lru_cache(maxsize=64)
def _whole_seconds(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")

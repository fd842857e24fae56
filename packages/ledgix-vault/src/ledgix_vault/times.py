"""Moments: microseconds since the Unix epoch inside, RFC 3339 in UTC with `Z` outside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

MICROSECONDS = 1_000_000
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime.fromtimestamp(0, UTC)


def rfc3339(moment: int) -> str:
    """`2026-01-31T23:59:59.000001Z`: RFC 3339 section 5.6, always six digits, always UTC."""
    seconds, micros = divmod(moment, MICROSECONDS)
    return f"{_whole_seconds(seconds)}.{micros:06d}Z"


def moment_of(text: str) -> int:
    """The moment that an RFC 3339 date and time names, whatever its offset; raises `ValueError`."""
    if not _RFC3339.fullmatch(text):
        raise ValueError("not an RFC 3339 date and time")
    return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)


@lru_cache(maxsize=64)
def _whole_seconds(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def read_moment(text: str) -> int | None:
    """The moment that RFC 3339 text names, with its offset from UTC; None for any other text."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return None
        since_epoch = moment - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return (since_epoch.days * 86_400 + since_epoch.seconds) * MICROSECONDS + since_epoch.microseconds

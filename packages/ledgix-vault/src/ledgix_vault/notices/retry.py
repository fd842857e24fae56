"""When a delivery that failed is tried again: at growing distances, each a little different, for a day."""

from __future__ import annotations

from hashlib import sha256

from ledgix_vault.times import MICROSECONDS

FIRST_WAIT = 10
LONGEST_WAIT = 3600
GIVE_UP_AFTER = 24 * 3600
"""Seconds since the first attempt."""


def next_attempt(delivery_id: str, attempts: int, first_tried_at: int, now: int) -> int | None:
    """When (µs) to try again after so many failed attempts; None when it is over. The jitter, a quarter either way,
    comes from the delivery's id: deliveries that failed together don't come back together."""
    wait = min(FIRST_WAIT * 2 ** min(attempts - 1, 20), LONGEST_WAIT)
    drawn = int.from_bytes(sha256(f"{delivery_id}/{attempts}".encode()).digest()[:4]) / 2**32
    at = now + round(wait * (0.75 + drawn / 2) * MICROSECONDS)
    return at if at - first_tried_at <= GIVE_UP_AFTER * MICROSECONDS else None

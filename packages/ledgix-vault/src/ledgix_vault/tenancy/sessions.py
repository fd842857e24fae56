"""Sessions: a signed-in browser. The secret is in its cookie alone; the store keeps the SHA-256.

- A session ends at its latest after a week, or when it wasn't used for twelve hours, or when somebody ends it.
- It proves who somebody is; what they may do is their role of this moment, never one remembered.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256

from ledgix_vault.tenancy.people import Assurance
from ledgix_vault.times import MICROSECONDS

LIFETIME = 7 * 24 * 3600 * MICROSECONDS
IDLE_LIFETIME = 12 * 3600 * MICROSECONDS
SEEN_EVERY = 300 * MICROSECONDS
"""How exactly the last use is remembered: a write for each page would be too much."""
LONGEST_DEVICE = 300


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser of a person. Moments in microseconds."""

    session_id: str
    person_id: str
    tenant_id: str
    assurance: Assurance
    started_at: int
    last_seen_at: int
    expires_at: int
    ended_at: int | None
    device: str

    def is_over(self, now: int) -> bool:
        """Whether it proves nothing any more."""
        return self.ended_at is not None or now >= self.expires_at or now - self.last_seen_at >= IDLE_LIFETIME

    def needs_touch(self, now: int) -> bool:
        """Whether its last use is worth a write."""
        return now - self.last_seen_at >= SEEN_EVERY


def new_session_secret() -> str:
    """256 random bits as base64url."""
    return secrets.token_urlsafe(32)


def hash_session_secret(secret: str) -> bytes:
    """What a session or an invitation is looked up by; any text has a hash."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()

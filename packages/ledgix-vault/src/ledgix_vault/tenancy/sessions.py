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
FRESH = 600 * MICROSECONDS
"""How long it counts that somebody has just shown who they are, when they change how they sign in."""
LONGEST_DEVICE = 300


@dataclass(frozen=True, slots=True)
class Known:
    """How somebody is known when a session begins. `confirmed_at` is when they last showed it, None if long ago;
    `tenant_only`: known to one tenant alone, by its own single sign-on."""

    assurance: Assurance
    confirmed_at: int | None = None
    tenant_only: bool = False


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
    confirmed_at: int | None = None
    tenant_only: bool = False

    def is_over(self, now: int) -> bool:
        """Whether it proves nothing any more."""
        return self.ended_at is not None or now >= self.expires_at or now - self.last_seen_at >= IDLE_LIFETIME

    @property
    def known(self) -> Known:
        """How the person is known here: what a session that follows from this one inherits."""
        return Known(self.assurance, self.confirmed_at, self.tenant_only)

    def is_fresh(self, now: int, *, has_factors: bool) -> bool:
        """Whether the person showed a moment ago who they are: by a second factor, if they have any."""
        if has_factors and self.assurance is not Assurance.SECOND_FACTOR:
            return False
        return self.confirmed_at is not None and now - self.confirmed_at < FRESH

    def needs_touch(self, now: int) -> bool:
        """Whether its last use is worth a write."""
        return now - self.last_seen_at >= SEEN_EVERY


def new_session_secret() -> str:
    """256 random bits as base64url."""
    return secrets.token_urlsafe(32)


def hash_session_secret(secret: str) -> bytes:
    """What a session or an invitation is looked up by; any text has a hash."""
    return sha256(secret.encode("utf-8", "surrogatepass")).digest()

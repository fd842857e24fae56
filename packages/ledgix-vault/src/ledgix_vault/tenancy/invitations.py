"""Invitations: a link with a secret, for one address and one role, good for a week and once."""

from __future__ import annotations

from dataclasses import dataclass

from ledgix.formats.json import JsonObject
from ledgix_vault.tenancy.people import Role
from ledgix_vault.times import MICROSECONDS, rfc3339

LIFETIME = 7 * 24 * 3600 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Invitation:
    """One invitation. `invited_by` is a person's or a key's id, "" for the Vault's command line; `joined` is the person
    who accepted it. Moments in microseconds."""

    invitation_id: str
    email: str
    role: Role
    invited_by: str
    invited_at: int
    expires_at: int
    ended_at: int | None = None
    joined: str = ""

    def state(self, now: int) -> str:
        """`pending`, `accepted`, `withdrawn` or `expired`."""
        if self.joined:
            return "accepted"
        if self.ended_at is not None:
            return "withdrawn"
        return "expired" if now >= self.expires_at else "pending"

    def to_json(self, now: int) -> JsonObject:
        return {
            "invitation_id": self.invitation_id,
            "email": self.email,
            "role": str(self.role),
            "state": self.state(now),
            "invited_by": self.invited_by,
            "invited_at": rfc3339(self.invited_at),
            "expires_at": rfc3339(self.expires_at),
        }

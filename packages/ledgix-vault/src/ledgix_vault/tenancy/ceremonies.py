"""Ceremonies: something begun that must come back within minutes, once, from the browser that began it.

What came of a right password alone is one of them, a half session: it lets somebody show a second factor, and nothing
else. A passkey's challenge is another, and a sign-in that is away at a provider.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ledgix.formats.json import JsonObject
from ledgix_vault.times import MICROSECONDS


class CeremonyKind(StrEnum):
    """What was begun."""

    HALF_SESSION = "half_session"
    NEW_PASSKEY = "new_passkey"
    PASSKEY = "passkey"
    SINGLE_SIGN_ON = "single_sign_on"


LIFETIMES = {
    CeremonyKind.HALF_SESSION: 600 * MICROSECONDS,
    CeremonyKind.NEW_PASSKEY: 300 * MICROSECONDS,
    CeremonyKind.PASSKEY: 300 * MICROSECONDS,
    CeremonyKind.SINGLE_SIGN_ON: 600 * MICROSECONDS,
}


@dataclass(frozen=True, slots=True)
class Ceremony:
    """One that stands. `person_id` and `tenant_id` are empty where it is about nobody, or no tenant."""

    kind: CeremonyKind
    person_id: str
    tenant_id: str
    content: JsonObject
    expires_at: int

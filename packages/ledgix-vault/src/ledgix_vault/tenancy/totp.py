"""One-time codes from an app (RFC 6238: SHA-1, six digits, steps of thirty seconds, as every app has them).

- A code counts in its own step and in the one before and after it.
- A code counts once: after a step was used, neither it nor an earlier one counts again.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from hashlib import sha256

import pyotp

from ledgix_vault.times import MICROSECONDS

STEP_SECONDS = 30
DIGITS = 6
WINDOW = 1
ISSUER = "Ledgix"


@dataclass(frozen=True, slots=True)
class Totp:
    """An app that makes codes for a person. It counts as a factor once a code has confirmed it; `last_step` is the
    newest step that was used."""

    person_id: str
    sealed_secret: bytes = field(repr=False)
    started_at: int
    confirmed_at: int | None
    last_step: int

    @property
    def is_factor(self) -> bool:
        return self.confirmed_at is not None

    @property
    def secret_hash(self) -> str:
        """SHA-256 of the sealed secret in hex: what the ledger says of it."""
        return sha256(self.sealed_secret).hexdigest()


def new_totp_secret() -> str:
    """160 random bits as base32 (RFC 4226 section 4 recommends 160)."""
    return pyotp.random_base32(32)


def matching_step(secret: str, code: str, now: int, last_step: int) -> int | None:
    """The step that a code is of, if it counts at `now` (microseconds) and wasn't used; else None."""
    given = "".join(code.split())
    if len(given) != DIGITS or not (given.isascii() and given.isdigit()):
        return None
    app = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS)
    present = now // MICROSECONDS // STEP_SECONDS
    found = None
    for step in range(max(present - WINDOW, 0), present + WINDOW + 1):
        if hmac.compare_digest(app.generate_otp(step), given) and step > last_step:
            found = step
    return found


def enrolment_uri(secret: str, email: str) -> str:
    """What the square code says to the app."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_SECONDS).provisioning_uri(name=email, issuer_name=ISSUER)

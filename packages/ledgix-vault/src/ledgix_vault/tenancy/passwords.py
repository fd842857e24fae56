"""People's passwords, as Argon2id (RFC 9106, second recommended choice: 64 MiB, 3 passes, 4 lanes).

Each call takes about 50 ms and 64 MiB: run it in a thread, few at a time.
"""

from __future__ import annotations

import unicodedata
from functools import cache

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from ledgix_vault.errors import Invalid, VaultError

MINIMUM_LENGTH = 8
MAXIMUM_LENGTH = 1024

PARAMETERS = profiles.RFC_9106_LOW_MEMORY
_HASHER = PasswordHasher.from_parameters(PARAMETERS)


def check_new_password(password: str) -> None:
    """Invalid unless it is 8 to 1,024 characters long; what it is made of is the person's affair (NIST SP 800-63B)."""
    if not MINIMUM_LENGTH <= len(password) <= MAXIMUM_LENGTH:
        raise Invalid(f"A password has {MINIMUM_LENGTH} to {MAXIMUM_LENGTH:,} characters.", "$.password")


def hash_password(password: str) -> str:
    """The string that the store keeps: algorithm, parameters, salt and hash in one."""
    return _HASHER.hash(_octets(password))


def password_matches(stored: str, password: str) -> bool:
    """Whether this is the password; VaultError if `stored` isn't what `hash_password` made."""
    if len(password) > MAXIMUM_LENGTH:
        return False
    try:
        return _HASHER.verify(stored, _octets(password))
    except VerifyMismatchError:
        return False
    except (InvalidHashError, VerificationError) as error:
        raise VaultError("A stored password hash is damaged.") from error


def needs_rehash(stored: str) -> bool:
    """Whether `stored` was made with other parameters than today's; replace it after a successful sign-in."""
    return _HASHER.check_needs_rehash(stored)


def spend_the_same_time(password: str) -> None:
    """What a sign-in for an unknown person does, so that the clock doesn't tell who is known."""
    password_matches(_nobodys_hash(), password)


@cache
def _nobodys_hash() -> str:
    return hash_password("")


def _octets(password: str) -> bytes:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")

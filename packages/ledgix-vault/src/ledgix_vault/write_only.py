"""Secrets that a tenant gives the Vault for somebody else's door: a model's server, a provider, a chat.

- Whoever reads settings gets a mask in a secret's place; the mask sent back means the secret that is stored.
- An empty one forgets what is stored; any other one takes its place.
- The ledger has the hash of the encrypted form: whoever swaps a secret in the database is found by it.
"""

from __future__ import annotations

from hashlib import sha256

from ledgix_vault.errors import Invalid

MASK = "********"


def shown(sealed: bytes) -> str:
    """What a reader sees of a secret that is stored sealed; "" where there is none."""
    return MASK if sealed else ""


def hash_of_sealed(sealed: bytes) -> str:
    """SHA-256 of the sealed secret in hex, "" without one."""
    return sha256(sealed).hexdigest() if sealed else ""


def read_secret(given: object, path: str, longest: int) -> str | None:
    """The secret to store, "" to forget the one that is stored, None to keep it; raises `Invalid` at `path`."""
    if not isinstance(given, str) or len(given) > longest or not (given.isascii() and given.isprintable()):
        raise Invalid(f"must be a string of at most {longest} printable ASCII characters", path=path)
    return None if given == MASK else given

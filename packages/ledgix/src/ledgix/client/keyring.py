"""The Vault's token keys, as long as they are fresh. No I/O: it says when a fetch is due, and one caller does it.

Invariants:

- A token's key is found by its `kid` or not at all.
- Keys older than the time to live are never used, even when no new ones can be had.
- While they are fresh they are used without waiting, also during a fetch; a fetch that fails leaves them as they are.
- A `kid` that nobody knows causes at most one fetch in `MISS_INTERVAL` seconds, however many tokens name one.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from enum import Enum, auto

from ledgix.client.reading import Members
from ledgix.errors import FormatError
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PublicKey

MISS_INTERVAL = 5.0


class LookUp(Enum):
    KNOWN = auto()
    FETCH = auto()  # the caller fetches, then calls `store` or `give_up`
    WAIT = auto()  # somebody else is fetching
    UNKNOWN = auto()  # fresh keys, and this one is not among them


class KeyRing:
    """One for each Vault. Times are seconds of a monotonic clock."""

    def __init__(self, time_to_live: float) -> None:
        self._time_to_live = time_to_live
        self._keys: Mapping[str, PublicKey] = {}
        self._fetched_at: float | None = None
        self._missed_at: float | None = None
        self._fetching = False
        self._lock = threading.Lock()
        self.failures = 0  # fetches that failed; a waiting caller sees that its fetch did

    @property
    def keys(self) -> Mapping[str, PublicKey]:
        return self._keys

    def look_up(self, kid: str, now: float) -> LookUp:
        with self._lock:
            fresh = self._fetched_at is not None and now - self._fetched_at < self._time_to_live
            if fresh and kid in self._keys:
                return LookUp.KNOWN
            if self._fetching:
                return LookUp.WAIT
            if fresh:
                if self._missed_at is not None and now - self._missed_at < MISS_INTERVAL:
                    return LookUp.UNKNOWN
                self._missed_at = now
            self._fetching = True
            return LookUp.FETCH

    def claim_fetch(self) -> bool:
        """Whether the caller is to fetch now, whatever the age of the keys; not while somebody else does."""
        with self._lock:
            if self._fetching:
                return False
            self._fetching = True
            return True

    @property
    def is_fetching(self) -> bool:
        return self._fetching

    def store(self, keys: Mapping[str, PublicKey], now: float) -> None:
        with self._lock:
            self._keys, self._fetched_at, self._fetching = keys, now, False

    def give_up(self) -> None:
        with self._lock:
            self._fetching = False
            self.failures += 1


def read_jwks(answer: JsonObject) -> dict[str, PublicKey]:
    """The Ed25519 keys of a JWK set; members of other kinds are ignored (RFC 7517 section 5)."""
    said = Members(answer, "JWKS")
    ours = [jwk for jwk in said.objects("keys") if jwk.get("kty") == "OKP" and jwk.get("crv") == "Ed25519"]
    try:
        keys = [PublicKey.from_jwk(jwk) for jwk in ours]
    except FormatError as error:
        raise said.invalid("keys", f"holds an Ed25519 key that is none: {error}") from error
    return {key.kid: key for key in keys}

"""API keys: who is asking, on whose behalf, and what the key allows.

- The secret is 256 random bits, shown once; only its SHA-256 is kept. (A slow hash is for what people choose.)
- A rotated key keeps its lineage: what the old one asked stays the new one's own.
- An empty `agent_ids` binds the key to no agent in particular; otherwise one of its globs must match.
- A key is of no use from the moment of its expiry on, as if it had been revoked then.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from ledgix_vault.errors import Forbidden, Invalid, MissingScope
from ledgix_vault.tenancy.scopes import PRESETS, Preset, Scope
from ledgix_vault.times import MICROSECONDS

DAY = 24 * 3600 * MICROSECONDS
LONGEST_LIFE = 3650 * DAY
LONGEST_OVERLAP = 90 * DAY
MOST_AGENT_IDS = 50
LONGEST_AGENT_ID = 256
SECRET_PREFIX = "lgx_"  # noqa: S105 - what every secret begins with, so that scanners find a leaked one
SECRET_BYTES = 32


class KeyState(StrEnum):
    """Whether a key opens a door."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the store knows it, without its secret. Times are µs since 1970, UTC."""

    key_id: str
    tenant_id: str
    name: str
    scopes: frozenset[Scope]
    agent_ids: tuple[str, ...]
    created_at: int
    revoked_at: int | None
    lineage: str
    """The key_id of the first key of its rotation chain."""
    expires_at: int | None = None
    """From this moment on it is of no use; None for a key without an end."""

    @property
    def identity(self) -> str:
        """Who did it, as the store and the ledger say it."""
        return self.key_id

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

    @property
    def preset(self) -> Preset | None:
        """The preset with exactly these scopes, if there is one."""
        return next((preset for preset in Preset if PRESETS[preset] == self.scopes), None)

    @property
    def ordered_scopes(self) -> tuple[Scope, ...]:
        """The scopes in the order in which they are always shown."""
        return tuple(scope for scope in Scope if scope in self.scopes)

    def state(self, now: int) -> KeyState:
        """What the key is at this moment."""
        if self.is_revoked:
            return KeyState.REVOKED
        return KeyState.EXPIRED if self.expires_at is not None and self.expires_at <= now else KeyState.ACTIVE

    def is_valid(self, now: int) -> bool:
        """Whether the key opens doors at this moment."""
        return not self.is_revoked and (self.expires_at is None or now < self.expires_at)

    def allows(self, scope: Scope) -> bool:
        """Whether the key carries the scope; scopes don't imply one another."""
        return scope in self.scopes

    def require(self, scope: Scope) -> None:
        """MissingScope, naming it, unless the key carries the scope."""
        if scope not in self.scopes:
            raise MissingScope(scope)

    def require_any(self, scope: Scope, *others: Scope) -> None:
        """MissingScope, naming the first, unless the key carries one of these."""
        if not any(each in self.scopes for each in (scope, *others)):
            raise MissingScope(scope)

    def may_act_as(self, agent_id: str) -> bool:
        """Whether the key may speak for this agent."""
        return not self.agent_ids or any(fnmatchcase(agent_id, glob) for glob in self.agent_ids)

    def require_agent(self, agent_id: str) -> None:
        """Forbidden `agent_not_allowed` unless the key may speak for this agent."""
        if not self.may_act_as(agent_id):
            raise Forbidden(f"This API key may not act as agent “{agent_id}”.", code="agent_not_allowed")

    def owns(self, lineage: str) -> bool:
        """Whether something that a key of this lineage asked is this key's own."""
        return self.lineage == lineage

    def require_no_more_agents(self, agent_ids: Iterable[str]) -> None:
        """Forbidden `agent_not_allowed` unless a key for these agents speaks for none that this one may not."""
        if not self.agent_ids:
            return
        globs = tuple(agent_ids)
        if not globs:
            raise Forbidden("This API key may not act as every agent.", code="agent_not_allowed")
        for glob in globs:
            if not any(_covers(own, glob) for own in self.agent_ids):
                raise Forbidden(f"This API key may not act as agent “{glob}”.", code="agent_not_allowed")

    def successor(self, key_id: str, created_at: int) -> ApiKey:
        """The key that replaces this one by rotation: same rights, same lineage, and as long a life."""
        life = None if self.expires_at is None else self.expires_at - self.created_at
        expires_at = None if life is None else created_at + life
        return replace(self, key_id=key_id, created_at=created_at, revoked_at=None, expires_at=expires_at)

    def ending(self, at: int) -> ApiKey:
        """The same key, that expires at this moment, or earlier if it was to."""
        return replace(self, expires_at=at if self.expires_at is None else min(at, self.expires_at))

    def revoked(self, at: int) -> ApiKey:
        """The same key, of no more use; the first revocation counts."""
        return self if self.is_revoked else replace(self, revoked_at=at)


def check_expiry(expires_at: int, now: int, path: str) -> None:
    """Raises `Invalid` unless a new key may end then."""
    if not now < expires_at <= now + LONGEST_LIFE:
        raise Invalid("must be in the future, and at most ten years from now", path=path)


def days_from(now: int, days: object, path: str = "$.expires_in_days") -> int:
    """The moment so many days from now; raises `Invalid` unless that many days are a key's life."""
    if isinstance(days, bool) or not isinstance(days, int) or not 1 <= days * DAY <= LONGEST_LIFE:
        raise Invalid(f"must be a whole number from 1 to {LONGEST_LIFE // DAY}", path=path)
    return now + days * DAY


def check_agent_ids(agent_ids: Iterable[str], path: str = "$.agent_ids") -> None:
    """Raises `Invalid` unless a key may be bound to agents that match these."""
    globs = tuple(agent_ids)
    if len(globs) > MOST_AGENT_IDS or not all(0 < len(glob) <= LONGEST_AGENT_ID for glob in globs):
        raise Invalid(f"must be at most {MOST_AGENT_IDS} patterns of 1 to {LONGEST_AGENT_ID} characters", path=path)


def _covers(own: str, other: str) -> bool:
    """Whether whatever matches the one glob surely matches the other: `*` covers what stands in its place."""
    return own == other or (not set("?[") & set(own) and "[" not in other and fnmatchcase(other, own))


def new_secret() -> str:
    """A fresh secret: `lgx_` and 43 characters of base64url."""
    return SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """What the store keeps and looks a key up by; any text has a hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()

"""API keys: who is asking, on whose behalf, and what the key allows.

- The secret is 256 random bits, shown once; only its SHA-256 is kept. (A slow hash is for what people choose.)
- A rotated key keeps its lineage: what the old one asked stays the new one's own.
- An empty `agent_ids` binds the key to no agent in particular; otherwise one of its globs must match.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ledgix_vault.errors import Forbidden, MissingScope
from ledgix_vault.tenancy.scopes import Scope

SECRET_PREFIX = "lgx_"  # noqa: S105 - what every secret begins with, so that scanners find a leaked one
SECRET_BYTES = 32


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

    @property
    def identity(self) -> str:
        """Who did it, as the store and the ledger say it."""
        return self.key_id

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None

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

    def successor(self, key_id: str, created_at: int) -> ApiKey:
        """The key that replaces this one by rotation: same rights, same lineage."""
        return replace(self, key_id=key_id, created_at=created_at, revoked_at=None)

    def revoked(self, at: int) -> ApiKey:
        """The same key, of no more use; the first revocation counts."""
        return self if self.is_revoked else replace(self, revoked_at=at)


def new_secret() -> str:
    """A fresh secret: `lgx_` and 43 characters of base64url."""
    return SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)


def hash_secret(secret: str) -> bytes:
    """What the store keeps and looks a key up by; any text has a hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()

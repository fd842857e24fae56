"""What a caller's `Idempotency-Key` stands for (contract section 1).

Only outcomes of a committed transaction are remembered, as a reference to where the outcome is, never a secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, delete

from ledgix_vault.store import schema

Scope = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """One caller's key for one request: the same scope with another body is a mistake of the caller."""

    tenant_id: str
    scope: bytes
    body_hash: bytes

    @classmethod
    def of(cls, *, tenant_id: str, key_id: str, method: str, path: str, key: str, body: bytes) -> IdempotencyKey:
        """Binds `key` to tenant, API key, method and path, and to the exact body."""
        scope = hashlib.sha256("\0".join((key_id, method, path, key)).encode()).digest()
        return cls(tenant_id, scope, hashlib.sha256(body).digest())

    def for_part(self, part: str) -> IdempotencyKey:
        """The key of one of several things that a request does, each in a transaction of its own."""
        scope = hashlib.sha256(self.scope + part.encode("utf-8", "surrogatepass")).digest()
        return IdempotencyKey(self.tenant_id, scope, self.body_hash)

    @property
    def place(self) -> Scope:
        return self.tenant_id, self.scope


@dataclass(frozen=True, slots=True)
class Remembered:
    """The outcome that this key already has."""

    body_hash: bytes
    reference: str


def look_up(connection: Connection, mark: str, keys: Iterable[IdempotencyKey]) -> dict[Scope, Remembered]:
    """What is remembered for `keys`, in one query for each tenant. `mark` is the driver's parameter mark.

    Every group of the writer asks this, so the statement goes to the driver as it is (measured: building it through
    SQLAlchemy costs 0.3 ms a group).
    """
    scopes: dict[str, list[bytes]] = {}
    for key in keys:
        scopes.setdefault(key.tenant_id, []).append(key.scope)
    found = {}
    for tenant_id, wanted in scopes.items():
        marks = ", ".join([mark] * len(wanted))
        statement = (
            f"SELECT scope, body_hash, reference FROM idempotency WHERE tenant_id = {mark} AND scope IN ({marks})"  # noqa: S608
        )
        for scope, body_hash, reference in connection.exec_driver_sql(statement, (tenant_id, *wanted)):
            found[(tenant_id, bytes(scope))] = Remembered(bytes(body_hash), reference)
    return found


def forget_before(connection: Connection, moment: int) -> int:
    """Deletes what was remembered before `moment`; the number of keys forgotten. Runs over all tenants."""
    return connection.execute(delete(schema.idempotency).where(schema.idempotency.c.remembered_at < moment)).rowcount

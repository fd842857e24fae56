"""The public side of signing keys as stored; the private side is in files (`ledgix_vault.keys`)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, or_, select

from ledgix.formats.attestations import Attestation
from ledgix.formats.bundles import KeyRecord
from ledgix.formats.keys import PublicKey
from ledgix_vault.store import schema
from ledgix_vault.store.unit import Row
from ledgix_vault.times import rfc3339

_K = schema.signing_key


class Purpose(StrEnum):
    """What a key signs: approvals of this Vault, or the log of one tenant."""

    TOKEN = "token"  # noqa: S105
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One version of a signing key. Moments are microseconds since the epoch."""

    public: PublicKey
    purpose: Purpose
    tenant_id: str | None
    active_from: int
    retired_at: int | None
    attestation_payload: bytes
    attestation_signature: bytes
    attestation_key_id: str

    def record(self) -> KeyRecord:
        """The key as a proof bundle carries it."""
        attestation = None
        if self.attestation_key_id:
            attestation = Attestation(self.attestation_payload, self.attestation_signature, self.attestation_key_id)
        return KeyRecord(
            key=self.public,
            active_from=rfc3339(self.active_from),
            retired_at=rfc3339(self.retired_at) if self.retired_at is not None else "",
            attestation=attestation,
        )


def signing_key_row(
    key: PublicKey, *, tenant_id: str | None, active_from: int, attestation: Attestation | None = None
) -> Row:
    """The row of a key. Nothing attests a first key; a later one is attested by the one before it."""
    purpose = Purpose.TOKEN if tenant_id is None else Purpose.LEDGER
    word = attestation or Attestation(b"", b"", "")
    return (
        key.kid,
        tenant_id,
        str(purpose),
        key.raw,
        active_from,
        None,
        word.payload,
        word.signature,
        word.key_id,
    )


def load_signing_keys(connection: Connection) -> list[SigningKey]:
    """Every key of this Vault, all tenants', oldest first. For starting up."""
    return _load(connection)


def load_key_list(connection: Connection, tenant_id: str | None) -> list[SigningKey]:
    """The token keys and, for a tenant, all its ledger keys, current and retired, oldest first."""
    mine = _K.c.tenant_id.is_(None)
    return _load(connection, mine if tenant_id is None else or_(mine, _K.c.tenant_id == tenant_id))


def load_ledger_keys(connection: Connection, tenant_id: str) -> list[SigningKey]:
    """The tenant's ledger keys, oldest first."""
    return _load(connection, _K.c.tenant_id == tenant_id)


def _load(connection: Connection, *conditions: Any) -> list[SigningKey]:
    rows = connection.execute(select(_K).where(*conditions).order_by(_K.c.active_from, _K.c.key_id))
    return [
        SigningKey(
            public=PublicKey(bytes(row.public_key)),
            purpose=Purpose(row.purpose),
            tenant_id=row.tenant_id,
            active_from=row.active_from,
            retired_at=row.retired_at,
            attestation_payload=bytes(row.attestation_payload),
            attestation_signature=bytes(row.attestation_signature),
            attestation_key_id=row.attestation_key_id,
        )
        for row in rows
    ]

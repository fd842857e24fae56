"""Ceremonies as rows, looked up by the SHA-256 of a secret that the browser holds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select

from ledgix.formats.json import JsonObject
from ledgix_vault.jsontext import encode_text
from ledgix_vault.store import schema
from ledgix_vault.store.tenants import stored_object
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.ceremonies import LIFETIMES, Ceremony, CeremonyKind
from ledgix_vault.tenancy.sessions import hash_session_secret

_C = schema.ceremony


def begin_ceremony(
    unit: Unit, kind: CeremonyKind, secret: str, content: JsonObject, *, person_id: str = "", tenant_id: str = ""
) -> None:
    """Stores what was begun, and forgets what nobody came back to."""
    unit.write(delete(_C).where(_C.c.expires_at <= unit.now))
    row = (hash_session_secret(secret), str(kind), person_id, tenant_id, encode_text(content))
    unit.insert(_C, (*row, unit.now + LIFETIMES[kind]))


def find_ceremony(connection: Connection, kind: CeremonyKind, secret: str, now: int) -> Ceremony | None:
    """What was begun with this secret, if it stands."""
    row = connection.execute(select(_C).where(*_is(kind, secret), _C.c.expires_at > now)).one_or_none()
    if row is None:
        return None
    return Ceremony(CeremonyKind(row.kind), row.person_id, row.tenant_id, stored_object(row.content), row.expires_at)


def end_ceremony(unit: Unit, kind: CeremonyKind, secret: str) -> bool:
    """Ends it; whether it stood and this call did it. Whoever comes second gets False."""
    return unit.write(delete(_C).where(*_is(kind, secret), _C.c.expires_at > unit.now)) == 1


def forget_half_sessions(unit: Unit, person_id: str) -> None:
    """Ends every half session of a person: what counted as shown counts no more."""
    unit.write(delete(_C).where(_C.c.person_id == person_id, _C.c.kind == str(CeremonyKind.HALF_SESSION)))


def _is(kind: CeremonyKind, secret: str) -> tuple[Any, Any]:
    return _C.c.secret_hash == hash_session_secret(secret), _C.c.kind == str(kind)

"""Sessions as rows. They prove who somebody is, and are looked up by the SHA-256 of the secret in the cookie."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select, update

from ledgix.formats import json
from ledgix_vault.ids import new_id
from ledgix_vault.jsontext import encode_text
from ledgix_vault.store import schema
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.people import Assurance, Member, Role
from ledgix_vault.tenancy.sessions import LIFETIME, LONGEST_DEVICE, Known, Session

_S, _P, _M = schema.session, schema.person, schema.membership


def add_session(unit: Unit, person_id: str, tenant_id: str, known: Known, secret_hash: bytes, device: str) -> Session:
    """A new session that begins now."""
    session = Session(
        session_id=new_id(),
        person_id=person_id,
        tenant_id=tenant_id,
        assurance=known.assurance,
        started_at=unit.now,
        last_seen_at=unit.now,
        expires_at=unit.now + LIFETIME,
        ended_at=None,
        device=device[:LONGEST_DEVICE],
        confirmed_at=known.confirmed_at,
        tenant_only=known.tenant_only,
    )
    unit.insert(
        _S,
        (
            session.session_id,
            secret_hash,
            person_id,
            tenant_id,
            str(session.assurance),
            session.started_at,
            session.last_seen_at,
            session.expires_at,
            None,
            encode_text(session.device),
            session.confirmed_at,
            session.tenant_only,
        ),
    )
    return session


def find_session(connection: Connection, secret_hash: bytes) -> tuple[Session, Member] | None:
    """The session with this secret, over or not, and the person with today's role in its tenant; None where there is
    no such session, or the person doesn't belong to that tenant any more."""
    row = connection.execute(
        select(_S, _P.c.email, _P.c.name, _M.c.role)
        .join(_P, _P.c.person_id == _S.c.person_id)
        .join(_M, (_M.c.person_id == _S.c.person_id) & (_M.c.tenant_id == _S.c.tenant_id))
        .where(_S.c.secret_hash == secret_hash)
    ).one_or_none()
    if row is None:
        return None
    session = _session(row)
    member = Member(
        tenant_id=row.tenant_id,
        person_id=row.person_id,
        email=row.email,
        name=row.name,
        role=Role(row.role),
        assurance=session.assurance,
        tenant_only=session.tenant_only,
    )
    return session, member


def list_sessions(connection: Connection, person_id: str, now: int) -> list[Session]:
    """The person's sessions that hold, the last used first."""
    rows = connection.execute(
        select(_S)
        .where(_S.c.person_id == person_id, _S.c.ended_at.is_(None), _S.c.expires_at > now)
        .order_by(_S.c.last_seen_at.desc(), _S.c.session_id)
    )
    return [session for session in map(_session, rows) if not session.is_over(now)]


def touch_session(unit: Unit, session_id: str) -> None:
    """Remembers that it was used now."""
    unit.write(update(_S).where(_S.c.session_id == session_id).values(last_seen_at=unit.now))


def confirm_session(unit: Unit, session_id: str, assurance: Assurance) -> None:
    """Remembers that the person has just shown here who they are, and how."""
    unit.write(update(_S).where(_S.c.session_id == session_id).values(confirmed_at=unit.now, assurance=str(assurance)))


def end_session(unit: Unit, person_id: str, session_id: str) -> bool:
    """Ends a session of this person; whether there was one that this call ended."""
    ended = unit.write(
        update(_S)
        .where(_S.c.session_id == session_id, _S.c.person_id == person_id, _S.c.ended_at.is_(None))
        .values(ended_at=unit.now)
    )
    return ended == 1


def end_sessions_for(unit: Unit, person_id: str, tenant_id: str) -> int:
    """Ends the person's sessions for one tenant; how many."""
    return unit.write(
        update(_S)
        .where(_S.c.person_id == person_id, _S.c.tenant_id == tenant_id, _S.c.ended_at.is_(None))
        .values(ended_at=unit.now)
    )


def end_single_sign_on_sessions(unit: Unit, tenant_id: str) -> int:
    """Ends all sessions for a tenant that its single sign-on began; how many."""
    return unit.write(
        update(_S)
        .where(_S.c.tenant_id == tenant_id, _S.c.tenant_only, _S.c.ended_at.is_(None))
        .values(ended_at=unit.now)
    )


def end_other_sessions(unit: Unit, person_id: str, keep: str) -> int:
    """Ends all sessions of a person but one; how many."""
    return unit.write(
        update(_S)
        .where(_S.c.person_id == person_id, _S.c.session_id != keep, _S.c.ended_at.is_(None))
        .values(ended_at=unit.now)
    )


def _session(row: Any) -> Session:
    return Session(
        session_id=row.session_id,
        person_id=row.person_id,
        tenant_id=row.tenant_id,
        assurance=Assurance(row.assurance),
        started_at=row.started_at,
        last_seen_at=row.last_seen_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        device=str(json.parse(row.device.encode())),
        confirmed_at=row.confirmed_at,
        tenant_only=bool(row.tenant_only),
    )

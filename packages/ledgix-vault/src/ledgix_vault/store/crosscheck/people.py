"""Members and invitations against the ledger: who belongs to a tenant, with which role, and whose link lets them in.

Not held against it, because no entry may speak of them: passwords, names and sessions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from ledgix.formats.events import EventKind
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import Entry, differing, entries_of_kinds, readable, rows_by, unpaired
from ledgix_vault.times import rfc3339

_M, _P = schema.membership, schema.person
_MOVES = (
    EventKind.TENANT_CREATED,
    EventKind.MEMBER_JOINED,
    EventKind.MEMBER_ROLE_CHANGED,
    EventKind.MEMBER_REMOVED,
)


@dataclass(frozen=True, slots=True)
class _Standing:
    """A membership as the ledger tells it."""

    position: int
    email: str
    role: str
    joined_at: str


def people_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    """Every flaw of the tenant's members and invitations."""
    yield from _member_flaws(connection, tenant_id)
    yield from _invitation_flaws(connection, tenant_id)


def _member_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    recorded, founded_at = _as_recorded(connection, tenant_id)
    rows = connection.execute(
        select(_M, _P.c.email)
        .outerjoin(_P, _P.c.person_id == _M.c.person_id)
        .where(_M.c.tenant_id == tenant_id)
        .order_by(_M.c.person_id)
    ).all()
    for row in rows:
        place = f"the member {row.email or row.person_id!r}"
        entry = recorded.pop(row.person_id, None)
        if entry is None:
            # The first owner of a tenant that is older than entries about people.
            if founded_at is not None and (row.role, rfc3339(row.joined_at)) == ("owner", founded_at):
                founded_at = None
                continue
            yield f"{place} is in the database, but no entry of the ledger made them one"
            continue
        said = {"email": row.email, "role": row.role, "joined_at": rfc3339(row.joined_at)}
        told = {"email": entry.email, "role": entry.role, "joined_at": entry.joined_at}
        if different := differing(said, told):
            yield f"{place}: the row says otherwise than entry {entry.position} about {', '.join(different)}"
    for entry in recorded.values():
        yield f"the member {entry.email!r}, made by entry {entry.position}, is missing"


def _as_recorded(connection: Connection, tenant_id: str) -> tuple[dict[str, _Standing], str | None]:
    """Who belongs to the tenant by its ledger; and when it was founded, where that entry names no owner."""
    members: dict[str, _Standing] = {}
    founded_at: str | None = None
    for entry in entries_of_kinds(connection, tenant_id, _MOVES):
        told = entry.metadata
        match entry.kind:
            case EventKind.TENANT_CREATED:
                owner = told.get("owner")
                if owner is None:
                    founded_at = entry.accepted_at
                else:
                    made = _Standing(entry.position, owner["email"], "owner", entry.accepted_at)
                    members[owner["person_id"]] = made
            case EventKind.MEMBER_JOINED:
                members[told["person_id"]] = _Standing(entry.position, told["email"], told["role"], entry.accepted_at)
            case EventKind.MEMBER_ROLE_CHANGED:
                before = members.get(told["person_id"])
                joined_at = founded_at or "" if before is None else before.joined_at
                members[told["person_id"]] = _Standing(entry.position, told["email"], told["role"], joined_at)
            case _:
                members.pop(told["person_id"], None)
    return members, founded_at


def _invitation_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    made: dict[str, Entry] = {}
    ended: dict[str, Entry] = {}
    kinds = (EventKind.MEMBER_INVITED, EventKind.MEMBER_INVITATION_WITHDRAWN, EventKind.MEMBER_JOINED)
    for entry in entries_of_kinds(connection, tenant_id, kinds):
        if "invitation_id" in entry.metadata:
            which = made if entry.kind == EventKind.MEMBER_INVITED else ended
            which[str(entry.metadata["invitation_id"])] = entry
    rows = rows_by(connection, schema.invitation, tenant_id, "invitation_id")
    yield from unpaired("invitation", rows, made)
    for invitation_id in sorted(rows.keys() & made.keys()):
        look = partial(_one_invitation_flaws, rows[invitation_id], made[invitation_id], ended.get(invitation_id))
        yield from readable(f"the invitation {invitation_id}", look)


def _one_invitation_flaws(row: Any, made: Entry, ended: Entry | None) -> Iterator[str]:
    place = f"the invitation {row.invitation_id}"
    said = {
        "email": row.email,
        "role": row.role,
        "secret_sha256": bytes(row.secret_hash).hex(),
        "expires_at": row.expires_at,
    }
    different = differing(said, {name: made.metadata[name] for name in said})
    if rfc3339(row.invited_at) != made.accepted_at:
        different.append("invited_at")
    if row.invited_by != made.decider_id:
        different.append("invited_by")
    if different:
        yield f"{place}: its row says otherwise than entry {made.position} about {', '.join(different)}"
    joined = ended.metadata.get("person_id", "") if ended is not None else ""
    if ended is None:
        if row.ended_at is not None or row.joined:
            yield f"{place}: its row says that it is over; the ledger doesn't"
    elif row.ended_at is None or (rfc3339(row.ended_at), row.joined) != (ended.accepted_at, joined):
        yield f"{place}: its row says otherwise than entry {ended.position} about its end"

"""People, their memberships and invitations as rows. A person is one for all tenants; a membership is one tenant's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from ledgix.formats.json import JsonObject
from ledgix_vault.ids import is_id, new_id
from ledgix_vault.store import schema
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.invitations import Invitation
from ledgix_vault.tenancy.people import Role
from ledgix_vault.times import rfc3339

_P, _M, _I, _T = schema.person, schema.membership, schema.invitation, schema.tenant


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, whatever they belong to."""

    person_id: str
    email: str
    name: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class Membership:
    """Somebody in one tenant."""

    person_id: str
    email: str
    name: str
    role: Role
    joined_at: int

    @property
    def shown(self) -> str:
        """Name and address: names are what people call themselves, so they never stand alone."""
        return f"{self.name} ({self.email})" if self.name else self.email

    def to_json(self) -> JsonObject:
        return {
            "person_id": self.person_id,
            "email": self.email,
            "name": self.name,
            "role": str(self.role),
            "joined_at": rfc3339(self.joined_at),
        }


def find_person(connection: Connection, person_id: str) -> Person | None:
    """The person with this id, or None."""
    return _person(connection, _P.c.person_id == person_id) if is_id(person_id) else None


def find_person_by_email(connection: Connection, email: str) -> Person | None:
    """The person with this address, in the form that `read_email` gives; or None."""
    return None if "\0" in email else _person(connection, _P.c.email == email)


def tenants_of(connection: Connection, person_id: str) -> list[tuple[str, str, Role]]:
    """(tenant id, name, role) of each tenant that the person belongs to, by name."""
    rows = connection.execute(
        select(_M.c.tenant_id, _T.c.name, _M.c.role)
        .join(_T, _T.c.tenant_id == _M.c.tenant_id)
        .where(_M.c.person_id == person_id)
        .order_by(_T.c.name)
    )
    return [(row.tenant_id, row.name, Role(row.role)) for row in rows]


def list_members(connection: Connection, tenant_id: str) -> list[Membership]:
    """Everybody in the tenant, by address."""
    rows = connection.execute(_members(tenant_id).order_by(_P.c.email))
    return [_membership(row) for row in rows]


def names_of(connection: Connection, tenant_id: str, person_ids: list[str]) -> dict[str, str]:
    """What members with these ids are called: their name, or their address."""
    rows = connection.execute(_members(tenant_id).where(_P.c.person_id.in_(person_ids)))
    return {row.person_id: row.name or row.email for row in rows}


def find_member(connection: Connection, tenant_id: str, person_id: str) -> Membership | None:
    """The tenant's member with this id, or None (another tenant's looks the same)."""
    if not is_id(person_id):
        return None
    row = connection.execute(_members(tenant_id).where(_M.c.person_id == person_id)).one_or_none()
    return None if row is None else _membership(row)


def count_owners(connection: Connection, tenant_id: str) -> int:
    """How many owners the tenant has."""
    return int(
        connection.execute(
            select(func.count()).where(_M.c.tenant_id == tenant_id, _M.c.role == str(Role.OWNER))
        ).scalar_one()
    )


def add_person(unit: Unit, email: str, name: str, password_hash: str) -> Person:
    """A new person, of no tenant yet."""
    person = Person(new_id(), email, name, password_hash)
    unit.insert(_P, (person.person_id, email, password_hash, unit.now, name))
    return person


def add_membership(unit: Unit, tenant_id: str, person_id: str, role: Role) -> None:
    """Makes a person a member."""
    unit.insert(_M, (tenant_id, person_id, str(role), unit.now))


def change_role(unit: Unit, tenant_id: str, person_id: str, role: Role) -> None:
    """Gives a member another role."""
    unit.write(update(_M).where(_M.c.tenant_id == tenant_id, _M.c.person_id == person_id).values(role=str(role)))


def remove_membership(unit: Unit, tenant_id: str, person_id: str) -> None:
    """Ends a membership; the person stays, for other tenants and for what the ledger says of them."""
    unit.write(delete(_M).where(_M.c.tenant_id == tenant_id, _M.c.person_id == person_id))


def change_person(unit: Unit, person_id: str, **values: str) -> None:
    """Writes a person's `name` or `password_hash`."""
    unit.write(update(_P).where(_P.c.person_id == person_id).values(**values))


def add_invitation(unit: Unit, tenant_id: str, invitation: Invitation, secret_hash: bytes) -> None:
    """Stores an invitation, by the hash of the secret in its link."""
    unit.insert(
        _I,
        (
            tenant_id,
            invitation.invitation_id,
            invitation.email,
            str(invitation.role),
            secret_hash,
            invitation.invited_by,
            invitation.invited_at,
            invitation.expires_at,
            invitation.ended_at,
            invitation.joined,
        ),
    )


def end_invitation(unit: Unit, tenant_id: str, invitation_id: str, joined: str = "") -> bool:
    """Ends an invitation that stands, for good; whether this call did it."""
    ended = unit.write(
        update(_I)
        .where(_I.c.tenant_id == tenant_id, _I.c.invitation_id == invitation_id, _I.c.ended_at.is_(None))
        .values(ended_at=unit.now, joined=joined)
    )
    return ended == 1


def list_invitations(connection: Connection, tenant_id: str) -> list[Invitation]:
    """All invitations of the tenant, newest first."""
    rows = connection.execute(
        select(_I).where(_I.c.tenant_id == tenant_id).order_by(_I.c.invited_at.desc(), _I.c.invitation_id.desc())
    )
    return [_invitation(row) for row in rows]


def find_invitation(connection: Connection, tenant_id: str, invitation_id: str) -> Invitation | None:
    """The tenant's invitation with this id, or None."""
    if not is_id(invitation_id):
        return None
    row = connection.execute(
        select(_I).where(_I.c.tenant_id == tenant_id, _I.c.invitation_id == invitation_id)
    ).one_or_none()
    return None if row is None else _invitation(row)


def find_invitation_by_secret(connection: Connection, secret_hash: bytes) -> tuple[str, Invitation] | None:
    """(tenant id, invitation) of the link with this secret, or None."""
    row = connection.execute(select(_I).where(_I.c.secret_hash == secret_hash)).one_or_none()
    return None if row is None else (row.tenant_id, _invitation(row))


def _members(tenant_id: str) -> Any:
    return (
        select(_M.c.person_id, _P.c.email, _P.c.name, _M.c.role, _M.c.joined_at)
        .join(_P, _P.c.person_id == _M.c.person_id)
        .where(_M.c.tenant_id == tenant_id)
    )


def _person(connection: Connection, condition: Any) -> Person | None:
    row = connection.execute(select(_P).where(condition)).one_or_none()
    return None if row is None else Person(row.person_id, row.email, row.name, row.password_hash)


def _membership(row: Any) -> Membership:
    return Membership(row.person_id, row.email, row.name, Role(row.role), row.joined_at)


def _invitation(row: Any) -> Invitation:
    return Invitation(
        invitation_id=row.invitation_id,
        email=row.email,
        role=Role(row.role),
        invited_by=row.invited_by,
        invited_at=row.invited_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        joined=row.joined,
    )

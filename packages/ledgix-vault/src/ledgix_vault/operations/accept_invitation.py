"""Accepting an invitation: by its link alone for somebody new, by link and sign-in for somebody known."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import Decider, DeciderType
from ledgix_vault.errors import Conflict, Forbidden, NotFound
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.operations.steps.sessions import start_session
from ledgix_vault.store.people import (
    add_membership,
    add_person,
    end_invitation,
    find_invitation_by_secret,
    find_member,
    find_person,
    find_person_by_email,
)
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.invitations import Invitation
from ledgix_vault.tenancy.passwords import check_new_password, hash_password
from ledgix_vault.tenancy.people import Assurance, Member, check_person_name
from ledgix_vault.tenancy.sessions import Known, hash_session_secret, new_session_secret
from ledgix_vault.vault import Vault

UNKNOWN = "This link is not known here, was used already, or is too old. Ask for another one."


@dataclass(frozen=True, slots=True)
class Invited:
    """What the page behind the link shows. `is_known`: the address has an account, so its owner has to sign in."""

    tenant_name: str
    invitation: Invitation
    is_known: bool


async def read_invitation(vault: Vault, secret: str) -> Invited:
    """The invitation of a link; raises `NotFound` when it isn't worth anything. Reading it decides nothing."""

    found = await vault.store.read(partial(find_invitation_by_secret, secret_hash=hash_session_secret(secret)))
    tenant_id, invitation = _standing(found, vault.clock())
    person = await vault.store.read(partial(find_person_by_email, email=invitation.email))
    return Invited(vault.store.tenant(tenant_id).name, invitation, is_known=person is not None)


async def join_as_new(vault: Vault, secret: str, name: str, password: str, device: str) -> str:
    """Makes the person, the membership and a session; the session's secret.

    Raises `Invalid` for a name or password that can't be, `Conflict` for an address that has an account. Durable on
    return.
    """
    name = check_person_name(name)
    check_new_password(password)
    await read_invitation(vault, secret)  # no work for a link that is worth nothing
    async with vault.hashing:
        hashed = await asyncio.to_thread(hash_password, password)
    session = new_session_secret()
    await vault.store.run(partial(_join_as_new, secret, name, hashed, session, device))
    return session


async def join_as_known(vault: Vault, secret: str, member: Member, device: str) -> str:
    """Makes the signed-in person a member of the tenant that invites their address; the secret of a session there."""
    member.require_whole()
    session = new_session_secret()
    await vault.store.run(partial(_join_as_known, secret, member, session, device))
    return session


def _join_as_new(secret: str, name: str, hashed: str, session: str, device: str, unit: Unit) -> Stored[None]:
    tenant_id, invitation = _standing(find_invitation_by_secret(unit.connection, hash_session_secret(secret)), unit.now)
    if find_person_by_email(unit.connection, invitation.email) is not None:
        raise Conflict("This address has an account already: sign in, then open the link again.", code="person_exists")
    person = add_person(unit, invitation.email, name, hashed)
    _join(unit, tenant_id, invitation, person.person_id, Assurance.LINK)
    start_session(unit, person, tenant_id, Known(Assurance.PASSWORD, unit.now), session, device)
    return Stored(None)


def _join_as_known(secret: str, member: Member, session: str, device: str, unit: Unit) -> Stored[None]:
    tenant_id, invitation = _standing(find_invitation_by_secret(unit.connection, hash_session_secret(secret)), unit.now)
    if invitation.email != member.email:
        raise Forbidden(f"This invitation is for {invitation.email}; you are signed in as {member.email}.")
    if find_member(unit.connection, tenant_id, member.person_id) is not None:
        raise Conflict("You belong to this tenant already.", code="member_exists")
    _join(unit, tenant_id, invitation, member.person_id, member.assurance)
    person = find_person(unit.connection, member.person_id)
    assert person is not None
    start_session(unit, person, tenant_id, Known(member.assurance), session, device)
    return Stored(None)


def _standing(found: tuple[str, Invitation] | None, now: int) -> tuple[str, Invitation]:
    if found is None or found[1].state(now) != "pending":
        raise NotFound(UNKNOWN)
    return found


def _join(unit: Unit, tenant_id: str, invitation: Invitation, person_id: str, assurance: Assurance) -> None:
    end_invitation(unit, tenant_id, invitation.invitation_id, joined=person_id)
    add_membership(unit, tenant_id, person_id, invitation.role)
    record_administration(
        unit,
        tenant_id,
        EventKind.MEMBER_JOINED,
        reason=f"{invitation.email} joined as {invitation.role.replace('_', ' ')}.",
        decider=Decider(DeciderType.PERSON, person_id, str(assurance)),
        metadata={
            "person_id": person_id,
            "email": invitation.email,
            "role": str(invitation.role),
            "invitation_id": invitation.invitation_id,
        },
    )

"""A person's own sessions and password."""

from __future__ import annotations

import asyncio
from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import decider_of
from ledgix_vault.errors import Invalid, NotFound
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.ceremonies import forget_half_sessions
from ledgix_vault.store.people import change_person, find_person, tenants_of
from ledgix_vault.store.sessions import end_other_sessions, end_session, list_sessions
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.passwords import check_new_password, hash_password, password_matches
from ledgix_vault.tenancy.people import Member, check_person_name
from ledgix_vault.tenancy.sessions import Session
from ledgix_vault.vault import Vault


async def read_sessions(vault: Vault, member: Member) -> list[Session]:
    """Where the person is signed in, the last used first; to single sign-on only its own."""
    found = await vault.store.read(partial(list_sessions, person_id=member.person_id, now=vault.clock()))
    return [each for each in found if _may_see(member, each)]


async def sign_out(vault: Vault, member: Member, session_id: str) -> None:
    """Ends one of the person's own sessions; `NotFound` for any other. Durable on return."""
    await vault.store.run(partial(_sign_out, member, session_id))


async def change_name(vault: Vault, member: Member, name: str) -> None:
    """Changes how the person is shown, with an event in each of their tenants' logs."""
    member.require_whole()
    await vault.store.run(partial(_change_name, member, check_person_name(name)))


async def change_password(vault: Vault, member: Member, session_id: str, old: str, new: str) -> None:
    """Sets a new password, ends the person's other sessions, and says so in each of their tenants' logs.

    Raises `Invalid` at `$.old` for a wrong password, which counts as a failed try, and at `$.password` for a new one
    that is too short.
    """
    member.require_whole()
    check_new_password(new)
    vault.attempts.begin(member.email, "")
    person = await vault.store.read(partial(find_person, person_id=member.person_id))
    assert person is not None
    async with vault.hashing:
        if person.password_hash and not await asyncio.to_thread(password_matches, person.password_hash, old):
            raise Invalid("This isn't your password.", path="$.old")
        hashed = await asyncio.to_thread(hash_password, new)
    vault.attempts.succeeded(member.email)
    await vault.store.run(partial(_change_password, member, session_id, hashed))


def _sign_out(member: Member, session_id: str, unit: Unit) -> Stored[None]:
    if member.tenant_only and all(
        each.session_id != session_id or not _may_see(member, each)
        for each in list_sessions(unit.connection, member.person_id, unit.now)
    ):
        raise NotFound("There is no such session.")
    if not end_session(unit, member.person_id, session_id):
        raise NotFound("There is no such session.")
    return Stored(None)


def _may_see(member: Member, session: Session) -> bool:
    return not member.tenant_only or (session.tenant_only and session.tenant_id == member.tenant_id)


def _change_name(member: Member, name: str, unit: Unit) -> Stored[None]:
    if name == member.name:
        return Stored(None)
    change_person(unit, member.person_id, name=name)
    for tenant_id, _, _ in tenants_of(unit.connection, member.person_id):
        record_administration(
            unit,
            tenant_id,
            EventKind.PERSON_NAME_CHANGED,
            reason=f"{member.email} is called {name or 'nothing'} now; before: {member.name or 'nothing'}.",
            decider=decider_of(member),
            metadata={"person_id": member.person_id, "email": member.email, "before": member.name, "name": name},
        )
    return Stored(None)


def _change_password(member: Member, session_id: str, hashed: str, unit: Unit) -> Stored[None]:
    change_person(unit, member.person_id, password_hash=hashed)
    end_other_sessions(unit, member.person_id, keep=session_id)
    forget_half_sessions(unit, member.person_id)
    for tenant_id, _, _ in tenants_of(unit.connection, member.person_id):
        record_administration(
            unit,
            tenant_id,
            EventKind.PERSON_PASSWORD_CHANGED,
            reason=f"{member.email} changed their password.",
            decider=decider_of(member),
            metadata={"person_id": member.person_id, "email": member.email},
        )
    return Stored(None)

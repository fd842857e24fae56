"""Using a session: who is behind a cookie now, and acting for another tenant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix_vault.errors import Forbidden, NotFound, Unauthenticated
from ledgix_vault.operations.steps.sessions import start_session
from ledgix_vault.store.people import find_person, tenants_of
from ledgix_vault.store.sessions import end_session, find_session, touch_session
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.people import Member, Role
from ledgix_vault.tenancy.sessions import Session, hash_session_secret, new_session_secret
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class SignedInSession:
    """A session that holds, and the person with the role of this moment."""

    session: Session
    member: Member
    tenants: tuple[tuple[str, str, Role], ...]
    """(id, name, role) of every tenant that the person can act for from here, by name."""


async def use_session(vault: Vault, secret: str, *, seen: bool = True) -> SignedInSession | None:
    """Who is signed in with this secret; None when nobody is, or not any more. Without `seen` it counts as no use."""
    found = await vault.store.read(partial(find_session, secret_hash=hash_session_secret(secret)))
    if found is None or found[0].is_over(now := vault.clock()):
        return None
    session, member = found
    if seen and session.needs_touch(now):
        await vault.store.run(partial(_touch, session.session_id))
    belongs = await vault.store.read(partial(tenants_of, person_id=member.person_id))
    reached = (each for each in belongs if not session.tenant_only or each[0] == session.tenant_id)
    return SignedInSession(session, member, tuple(reached))


async def session_holds(vault: Vault, secret: str, member: Member) -> bool:
    """Whether the session still says that this person is there, with this role; asking is no use of it."""
    found = await vault.store.read(partial(find_session, secret_hash=hash_session_secret(secret)))
    return found is not None and not found[0].is_over(vault.clock()) and found[1] == member


async def switch_tenant(vault: Vault, used: SignedInSession, tenant_id: str) -> str:
    """The secret of a new session of the same person, as surely known, for another tenant of theirs; the old session
    is over. Raises `NotFound` for a tenant that they don't belong to."""
    secret = new_session_secret()
    await vault.store.run(partial(_switch, used.session, tenant_id, secret))
    return secret


def _touch(session_id: str, unit: Unit) -> Stored[None]:
    touch_session(unit, session_id)
    return Stored(None)


def _switch(session: Session, tenant_id: str, secret: str, unit: Unit) -> Stored[None]:
    if session.tenant_only:
        raise Forbidden("Sign in with your password or a passkey to act for another tenant.", code="tenant_only")
    if tenant_id not in {each for each, _, _ in tenants_of(unit.connection, session.person_id)}:
        raise NotFound("You don't belong to such a tenant.")
    if not end_session(unit, session.person_id, session.session_id):
        raise Unauthenticated("This session is over; sign in again.")
    person = find_person(unit.connection, session.person_id)
    assert person is not None
    start_session(unit, person, tenant_id, session.known, secret, session.device)
    return Stored(None)

"""Members of a tenant: who they are, inviting, changing roles, removing. Each change is a ledger event."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import SYSTEM, Decider, decider_of
from ledgix_vault.errors import Conflict, NotFound
from ledgix_vault.ids import new_id
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.operations.steps.slack import unlink_person
from ledgix_vault.store.idempotency import IdempotencyKey
from ledgix_vault.store.people import (
    Membership,
    add_invitation,
    change_role,
    count_owners,
    end_invitation,
    find_invitation,
    find_member,
    list_invitations,
    list_members,
    remove_membership,
)
from ledgix_vault.store.sessions import end_sessions_for
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.store.writer import Replayed
from ledgix_vault.tenancy.callers import Caller, require_own
from ledgix_vault.tenancy.invitations import LIFETIME, Invitation
from ledgix_vault.tenancy.people import ROLE_SCOPES, Role
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.tenancy.sessions import hash_session_secret, new_session_secret
from ledgix_vault.vault import Vault

MOST_PENDING = 200


@dataclass(frozen=True, slots=True)
class People:
    """A tenant's members and its invitations, newest first."""

    members: list[Membership]
    invitations: list[Invitation]


async def read_people(vault: Vault, caller: Caller) -> People:
    """Everybody in the tenant, and whoever was invited. For callers with `settings`, and members of any role."""
    caller.require(Scope.SETTINGS)
    tenant_id = caller.tenant_id
    members = await vault.store.read(partial(list_members, tenant_id=tenant_id))
    return People(members, await vault.store.read(partial(list_invitations, tenant_id=tenant_id)))


async def invite_member(
    vault: Vault, caller: Caller, email: str, role: Role, key: IdempotencyKey | None = None
) -> tuple[Invitation, str | None]:
    """An invitation and the secret of its link, shown once: a replay has None. Nobody invites to a role with rights
    that they lack.

    `Conflict` when a member has this address. An earlier invitation of the same address that stands is withdrawn.
    Durable on return.
    """
    caller.require(Scope.SETTINGS)
    require_own(caller, ROLE_SCOPES[role])
    secret = new_session_secret()
    stored = await vault.store.run(partial(_invite_by, caller, email, role, secret), key)
    if not isinstance(stored, Replayed):
        return stored, secret
    look = partial(find_invitation, tenant_id=caller.tenant_id, invitation_id=stored.reference)
    earlier = await vault.store.read(look)
    assert earlier is not None
    return earlier, None


async def invite_for_tenant(vault: Vault, tenant_id: str, email: str, role: Role) -> tuple[Invitation, str]:
    """The same for the Vault's own command line, which may do everything."""
    secret = new_session_secret()
    invitation: Invitation = await vault.store.run(partial(_invite, tenant_id, email, role, secret, SYSTEM))
    return invitation, secret


async def withdraw_invitation(vault: Vault, caller: Caller, invitation_id: str) -> None:
    """Ends an invitation that nobody accepted; its link is worth nothing from now on."""
    caller.require(Scope.SETTINGS)
    await vault.store.run(partial(_withdraw, caller, invitation_id))


async def change_member_role(vault: Vault, caller: Caller, person_id: str, role: Role) -> Membership:
    """Gives a member another role, in force from their next page on; the member as they now are.

    Nobody gives or takes rights that they lack; a tenant keeps an owner. Durable on return.
    """
    caller.require(Scope.SETTINGS)
    require_own(caller, ROLE_SCOPES[role])
    changed: Membership = await vault.store.run(partial(_change_role, caller, person_id, role))
    return changed


async def remove_member(vault: Vault, caller: Caller, person_id: str) -> None:
    """Ends a membership and the person's sessions for this tenant; what they did stays theirs in the ledger."""
    caller.require(Scope.SETTINGS)
    await vault.store.run(partial(_remove, caller, person_id))


def _invite_by(caller: Caller, email: str, role: Role, secret: str, unit: Unit) -> Stored[Invitation]:
    for earlier in _standing(unit, caller.tenant_id):
        if earlier.email == email:
            require_own(caller, ROLE_SCOPES[earlier.role])
    return _invite(caller.tenant_id, email, role, secret, decider_of(caller), unit)


def _invite(tenant_id: str, email: str, role: Role, secret: str, by: Decider, unit: Unit) -> Stored[Invitation]:
    if any(member.email == email for member in list_members(unit.connection, tenant_id)):
        raise Conflict(f"{email} is a member already.", code="member_exists")
    standing = _standing(unit, tenant_id)
    if len(standing) >= MOST_PENDING:
        raise Conflict(f"{MOST_PENDING} invitations stand already; withdraw some.", code="too_many_invitations")
    for earlier in standing:
        if earlier.email == email:
            end_invitation(unit, tenant_id, earlier.invitation_id)
            _record_invitation(unit, tenant_id, earlier, EventKind.MEMBER_INVITATION_WITHDRAWN, by)
    invitation = Invitation(new_id(), email, role, by.id, unit.now, unit.now + LIFETIME)
    secret_hash = hash_session_secret(secret)
    add_invitation(unit, tenant_id, invitation, secret_hash)
    more: JsonObject = {"secret_sha256": secret_hash.hex(), "expires_at": invitation.expires_at}
    _record_invitation(unit, tenant_id, invitation, EventKind.MEMBER_INVITED, by, more)
    return Stored(invitation, reference=invitation.invitation_id)


def _withdraw(caller: Caller, invitation_id: str, unit: Unit) -> Stored[None]:
    found = find_invitation(unit.connection, caller.tenant_id, invitation_id)
    if found is None:
        raise NotFound("There is no invitation with this id.")
    require_own(caller, ROLE_SCOPES[found.role])
    if not end_invitation(unit, caller.tenant_id, invitation_id):
        raise Conflict(f"This invitation was {found.state(unit.now)} already.", code="invitation_over")
    _record_invitation(unit, caller.tenant_id, found, EventKind.MEMBER_INVITATION_WITHDRAWN, decider_of(caller))
    return Stored(None)


def _change_role(caller: Caller, person_id: str, role: Role, unit: Unit) -> Stored[Membership]:
    member = _member(unit, caller, person_id)
    if member.role is role:
        return Stored(member)
    _keep_an_owner(unit, caller.tenant_id, member)
    change_role(unit, caller.tenant_id, person_id, role)
    if not ROLE_SCOPES[member.role] <= ROLE_SCOPES[role]:
        _withdraw_those_of(unit, caller, person_id)
    record_administration(
        unit,
        caller.tenant_id,
        EventKind.MEMBER_ROLE_CHANGED,
        reason=f"{member.email} is {_words(role)} now; before: {_words(member.role)}.",
        decider=decider_of(caller),
        metadata={"person_id": person_id, "email": member.email, "before": str(member.role), "role": str(role)},
    )
    return Stored(Membership(person_id, member.email, member.name, role, member.joined_at))


def _remove(caller: Caller, person_id: str, unit: Unit) -> Stored[None]:
    member = _member(unit, caller, person_id)
    _keep_an_owner(unit, caller.tenant_id, member)
    remove_membership(unit, caller.tenant_id, person_id)
    end_sessions_for(unit, person_id, caller.tenant_id)
    _withdraw_those_of(unit, caller, person_id)
    unlink_person(unit, caller.tenant_id, person_id, member.email, decider_of(caller))
    record_administration(
        unit,
        caller.tenant_id,
        EventKind.MEMBER_REMOVED,
        reason=f"{member.email} ({_words(member.role)}) was removed.",
        decider=decider_of(caller),
        metadata={"person_id": person_id, "email": member.email, "role": str(member.role)},
    )
    return Stored(None)


def _member(unit: Unit, caller: Caller, person_id: str) -> Membership:
    """The member, if the caller may change what they are: an owner's rights are taken by those who have them all."""
    found = find_member(unit.connection, caller.tenant_id, person_id)
    if found is None:
        raise NotFound("There is no member with this id.")
    require_own(caller, ROLE_SCOPES[found.role])
    return found


def _standing(unit: Unit, tenant_id: str) -> list[Invitation]:
    return [each for each in list_invitations(unit.connection, tenant_id) if each.state(unit.now) == "pending"]


def _withdraw_those_of(unit: Unit, caller: Caller, person_id: str) -> None:
    """Whom somebody with fewer rights now had invited: they would join with rights that nobody hands out any more."""
    for each in _standing(unit, caller.tenant_id):
        if each.invited_by == person_id:
            end_invitation(unit, caller.tenant_id, each.invitation_id)
            _record_invitation(unit, caller.tenant_id, each, EventKind.MEMBER_INVITATION_WITHDRAWN, decider_of(caller))


def _keep_an_owner(unit: Unit, tenant_id: str, member: Membership) -> None:
    if member.role is Role.OWNER and count_owners(unit.connection, tenant_id) == 1:
        raise Conflict("A tenant needs an owner: make somebody else one first.", code="last_owner")


def _record_invitation(
    unit: Unit, tenant_id: str, invitation: Invitation, kind: EventKind, by: Decider, more: JsonObject | None = None
) -> None:
    done = "invited" if kind is EventKind.MEMBER_INVITED else "no longer invited"
    record_administration(
        unit,
        tenant_id,
        kind,
        reason=f"{invitation.email} is {done} as {_words(invitation.role)}.",
        decider=by,
        metadata={
            "invitation_id": invitation.invitation_id,
            "email": invitation.email,
            "role": str(invitation.role),
            **(more or {}),
        },
    )


def _words(role: Role) -> str:
    return role.replace("_", " ")

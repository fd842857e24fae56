"""Signing in at one's own organisation: away to its provider, and back with what that says.

- What comes back counts once, and in the browser that went away (its cookie), for the sign-in that it was (state,
  nonce, PKCE).
- The session is for the tenant that named the provider, and for no other.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from functools import partial

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import Decider, DeciderType
from ledgix_vault.errors import NotFound, Unauthenticated, VaultError
from ledgix_vault.keys.sealing import SealBroken
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.operations.steps.sessions import start_session
from ledgix_vault.operations.steps.sign_on import client_secret_place
from ledgix_vault.sign_on.provider import Client, authorization_url, discover, redeem
from ledgix_vault.store.ceremonies import begin_ceremony, end_ceremony, find_ceremony
from ledgix_vault.store.people import (
    Person,
    add_membership,
    add_person,
    end_invitation,
    find_member,
    find_person,
    find_person_by_email,
    list_invitations,
)
from ledgix_vault.store.sign_on import add_identity, find_identity
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.ceremonies import CeremonyKind
from ledgix_vault.tenancy.id_tokens import Expected, Identity, read_id_token
from ledgix_vault.tenancy.invitations import Invitation
from ledgix_vault.tenancy.people import Assurance, Role
from ledgix_vault.tenancy.sessions import Known, new_session_secret
from ledgix_vault.tenancy.sign_on import SingleSignOn
from ledgix_vault.tenancy.state import TenantState
from ledgix_vault.vault import Vault

CALLBACK = "/app/sign-in/single-sign-on/back"
NOBODY = "No organisation here offers single sign-on under this name or domain. Sign in with your password instead."
SEVERAL = "More than one organisation uses this domain. Enter the name of yours instead."
OVER = "This took too long, or was begun in another browser. Begin again."
REFUSED = "single_sign_on_refused"


@dataclass(frozen=True, slots=True)
class Away:
    """`url` is the provider's page, `host` where that is; the secret goes into a cookie of this browser."""

    secret: str
    url: str
    host: str
    tenant_name: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Signed in: the secret of the session, and where the browser wanted to be."""

    secret: str
    onward: str


@dataclass(frozen=True, slots=True)
class Back:
    """What the provider's redirect said, "" for what it didn't."""

    code: str
    state: str
    issuer: str
    error: str


def find_sign_on(vault: Vault, typed: str) -> str:
    """The id of the tenant that is meant: by its name, or by the domain of an address. Raises `NotFound`.

    It looks at no member, so that it doesn't tell who is one.
    """
    name = typed.strip()
    offering = [tenant for tenant in vault.store.tenants() if tenant.single_sign_on.enabled]
    named = [tenant for tenant in offering if tenant.name.casefold() == name.casefold()]
    domain = name.lower().rpartition("@")[2]
    found = named or [tenant for tenant in offering if domain in tenant.single_sign_on.allowed_domains]
    if len(found) > 1:
        raise NotFound(SEVERAL)
    if not found:
        raise NotFound(NOBODY)
    return found[0].tenant_id


async def begin_single_sign_on(vault: Vault, tenant_id: str, onward: str, address: str) -> Away:
    """Where this browser has to go; `onward` is where it wants to be afterwards.

    Raises `NotFound` when the tenant has no single sign-on, and `ProviderFailed`.
    """
    vault.attempts.asked(address)
    tenant = _offering(vault, tenant_id)
    trusted = vault.settings.trusted_sign_on_hosts
    provider = await discover(tenant.single_sign_on.issuer, trusted)
    secret, state = new_session_secret(), new_session_secret()
    nonce, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    url = authorization_url(provider, _client(vault, tenant), state, nonce, verifier)
    content: JsonObject = {
        "state": state,
        "nonce": nonce,
        "verifier": verifier,
        "issuer": provider.issuer,
        "onward": onward,
    }
    await vault.store.run(partial(_begin, secret, tenant_id, content))
    return Away(secret, url, _host(url), tenant.name)


async def finish_single_sign_on(vault: Vault, secret: str, back: Back, address: str, device: str) -> Arrived:
    """A new session for whoever the provider names. Durable on return.

    Raises `Unauthenticated`, saying what is wrong, and `ProviderFailed`.
    """
    vault.attempts.asked(address)
    kind = CeremonyKind.SINGLE_SIGN_ON
    begun = await vault.store.read(partial(find_ceremony, kind=kind, secret=secret, now=vault.clock()))
    if begun is None or not hmac.compare_digest(str(begun.content["state"]), back.state):
        raise Unauthenticated(OVER, code=REFUSED)
    # From here on this browser's attempt is used up, whatever comes of it.
    await vault.store.run(partial(_end, secret))
    if back.error or not back.code:
        raise Unauthenticated("Your organisation's sign-in page refused, or you left it.", code=REFUSED)
    identity = await _identity(vault, begun.tenant_id, begun.content, back)
    session = new_session_secret()
    await vault.store.run(partial(_start, begun.tenant_id, identity, session, device))
    return Arrived(session, str(begun.content["onward"]))


async def _identity(vault: Vault, tenant_id: str, content: JsonObject, back: Back) -> Identity:
    tenant, trusted = _offering(vault, tenant_id), vault.settings.trusted_sign_on_hosts
    settings, client = tenant.single_sign_on, _client(vault, tenant)
    if settings.issuer != content["issuer"]:
        raise Unauthenticated(OVER, code=REFUSED)
    provider = await discover(settings.issuer, trusted)
    if back.issuer != provider.issuer and (back.issuer or provider.names_itself):
        raise Unauthenticated("The answer came from another provider.", code=REFUSED)
    token, keys = await redeem(provider, client, back.code, str(content["verifier"]), trusted)
    expected = Expected(provider.issuer, client.client_id, str(content["nonce"]))
    return read_id_token(token, keys, expected, vault.clock())


def _begin(secret: str, tenant_id: str, content: JsonObject, unit: Unit) -> Stored[None]:
    begin_ceremony(unit, CeremonyKind.SINGLE_SIGN_ON, secret, content, tenant_id=tenant_id)
    return Stored(None)


def _end(secret: str, unit: Unit) -> Stored[None]:
    if not end_ceremony(unit, CeremonyKind.SINGLE_SIGN_ON, secret):
        raise Unauthenticated(OVER, code=REFUSED)
    return Stored(None)


def _start(tenant_id: str, identity: Identity, session: str, device: str, unit: Unit) -> Stored[None]:
    settings = unit.tenant(tenant_id).single_sign_on
    if not settings.enabled or settings.issuer != identity.issuer:
        raise Unauthenticated(OVER, code=REFUSED)
    person = _known(unit, tenant_id, identity) or _new(unit, tenant_id, identity, settings)
    known = Known(Assurance.SINGLE_SIGN_ON, unit.now, tenant_only=True)
    start_session(unit, person, tenant_id, known, session, device)
    return Stored(None)


def _known(unit: Unit, tenant_id: str, identity: Identity) -> Person | None:
    """The member whom the provider means: by its subject, or the first time by the address. None for nobody known."""
    person_id = find_identity(unit.connection, tenant_id, identity.issuer, identity.subject)
    if person_id is not None:
        person = find_person(unit.connection, person_id)
        if person is None:
            raise VaultError("A stored person is missing.")
        if find_member(unit.connection, tenant_id, person_id) is None:
            invitation = _invitation(unit, tenant_id, person.email)
            if invitation is None:
                raise Unauthenticated(f"{person.email} isn't a member any more. Ask for an invitation.", code=REFUSED)
            _join(unit, tenant_id, person, identity, invitation.role, invitation.invitation_id)
        return person
    person = find_person_by_email(unit.connection, identity.email)
    if person is None:
        return None
    if find_member(unit.connection, tenant_id, person.person_id) is None:
        raise Unauthenticated(
            f"{identity.email} has an account here, which isn't a member. Ask for an invitation, and accept it by"
            " signing in with that account.",
            code=REFUSED,
        )
    _link(unit, tenant_id, person, identity)
    return person


def _new(unit: Unit, tenant_id: str, identity: Identity, settings: SingleSignOn) -> Person:
    invitation = _invitation(unit, tenant_id, identity.email)
    if invitation is not None:
        role, invitation_id = invitation.role, invitation.invitation_id
    elif settings.default_role is not None and settings.admits(identity.email):
        role, invitation_id = settings.default_role, ""
    else:
        raise Unauthenticated(f"{identity.email} isn't a member here. Ask for an invitation.", code=REFUSED)
    person = add_person(unit, identity.email, identity.name, "")
    _join(unit, tenant_id, person, identity, role, invitation_id)
    _link(unit, tenant_id, person, identity)
    return person


def _invitation(unit: Unit, tenant_id: str, email: str) -> Invitation | None:
    standing = (each for each in list_invitations(unit.connection, tenant_id) if each.state(unit.now) == "pending")
    return next((each for each in standing if each.email == email), None)


def _join(unit: Unit, tenant_id: str, person: Person, identity: Identity, role: Role, invitation_id: str) -> None:
    if invitation_id:
        end_invitation(unit, tenant_id, invitation_id, joined=person.person_id)
    add_membership(unit, tenant_id, person.person_id, role)
    about: JsonObject = {"invitation_id": invitation_id} if invitation_id else {}
    record_administration(
        unit,
        tenant_id,
        EventKind.MEMBER_JOINED,
        reason=f"{person.email} joined as {role.replace('_', ' ')} by single sign-on.",
        decider=_decider(person),
        metadata={"person_id": person.person_id, "email": person.email, "role": str(role), **about, **_named(identity)},
    )


def _link(unit: Unit, tenant_id: str, person: Person, identity: Identity) -> None:
    add_identity(unit, tenant_id, identity.issuer, identity.subject, person.person_id)
    record_administration(
        unit,
        tenant_id,
        EventKind.PERSON_IDENTITY_LINKED,
        reason=f"{person.email} signs in by single sign-on from now on.",
        decider=_decider(person),
        metadata={"person_id": person.person_id, "email": person.email, **_named(identity)},
    )


def _decider(person: Person) -> Decider:
    return Decider(DeciderType.PERSON, person.person_id, str(Assurance.SINGLE_SIGN_ON))


def _named(identity: Identity) -> JsonObject:
    return {"issuer": identity.issuer, "subject": identity.subject}


def _offering(vault: Vault, tenant_id: str) -> TenantState:
    if tenant_id not in vault.store.tenant_ids() or not vault.store.tenant(tenant_id).single_sign_on.enabled:
        raise NotFound(NOBODY)
    return vault.store.tenant(tenant_id)


def _client(vault: Vault, tenant: TenantState) -> Client:
    settings = tenant.single_sign_on
    try:
        place = client_secret_place(tenant.tenant_id)
        secret = vault.keys.seal.open(settings.sealed_secret, place) if settings.sealed_secret else ""
    except SealBroken as error:
        raise VaultError("The client secret of single sign-on can't be opened: enter it again.") from error
    return Client(settings.client_id, secret, vault.settings.public_url + CALLBACK)


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].partition("?")[0]

"""A person's second factors: an app that makes codes, passkeys, recovery codes. Each change is an event in the log of
each of their tenants.

- Whoever changes them has just shown who they are, by a factor if there is one.
- With the first factor the person's other sessions end, and recovery codes are made; with the last one the codes go.
- The last factor stays while a tenant of the person asks for one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import Conflict, Invalid, NotFound
from ledgix_vault.operations.steps.factors import (
    ConfirmFirst,
    about_app,
    about_passkey,
    app_secret_place,
    by,
    open_app_secret,
    record_for_person,
    require_fresh,
    the_person,
    tries_at_factors,
)
from ledgix_vault.operations.steps.passkeys import Challenge, standing_challenge, store_challenge
from ledgix_vault.store.ceremonies import end_ceremony
from ledgix_vault.store.factors import (
    Factors,
    add_passkey,
    confirm_totp,
    find_passkey,
    load_factors,
    put_recovery_codes,
    put_totp,
    remove_passkey,
    remove_recovery_codes,
    remove_totp,
    rename_passkey,
)
from ledgix_vault.store.people import tenants_of
from ledgix_vault.store.sessions import confirm_session, end_other_sessions
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.ceremonies import CeremonyKind
from ledgix_vault.tenancy.passkeys import (
    MOST_PASSKEYS,
    Passkey,
    Site,
    check_passkey_name,
    read_registration,
    registration_options,
)
from ledgix_vault.tenancy.people import Assurance, Member
from ledgix_vault.tenancy.recovery_codes import codes_digest, hash_recovery_code, new_recovery_codes
from ledgix_vault.tenancy.sessions import Session
from ledgix_vault.tenancy.totp import matching_step, new_totp_secret
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Added:
    """A factor was added. `codes` are fresh recovery codes, to be shown once; none if there are some already."""

    codes: tuple[str, ...]


async def read_factors(vault: Vault, member: Member) -> Factors:
    """What the person can show beside a password."""
    return await vault.store.read(partial(load_factors, person_id=member.person_id))


async def start_app(vault: Vault, member: Member, session: Session) -> None:
    """Makes the secret of an app that makes codes; it counts once a code has confirmed it. Durable on return."""
    member.require_whole()
    sealed = vault.keys.seal.close(new_totp_secret(), app_secret_place(member.person_id))
    await vault.store.run(partial(_start_app, session, sealed))


async def read_app_secret(vault: Vault, member: Member, session: Session) -> str:
    """The secret that waits for its first code, for its owner. `NotFound` when none waits; `ConfirmFirst`."""
    member.require_whole()
    factors = await read_factors(vault, member)
    if factors.app is None or factors.has_app:
        raise NotFound("There is no app to confirm.")
    if not session.is_fresh(vault.clock(), has_factors=factors.exist):
        raise ConfirmFirst
    return open_app_secret(vault, factors.app)


async def confirm_app(vault: Vault, member: Member, session: Session, code: str) -> Added:
    """Makes the app a factor by its first code. Raises `Invalid` for a wrong one, `Busy` after too many."""
    member.require_whole()
    tries = tries_at_factors(member.person_id)
    vault.attempts.begin(tries, "")
    codes = new_recovery_codes()
    added: Added = await vault.store.run(partial(_confirm_app, vault, session, code, codes))
    vault.attempts.succeeded(tries)
    return added


async def remove_app(vault: Vault, member: Member, session: Session) -> None:
    """Forgets the app. Durable on return."""
    member.require_whole()
    await vault.store.run(partial(_remove_app, session))


async def renew_recovery_codes(vault: Vault, member: Member, session: Session) -> list[str]:
    """Ten fresh codes in place of all earlier ones, to be shown once."""
    member.require_whole()
    codes = new_recovery_codes()
    await vault.store.run(partial(_renew_codes, session, codes))
    return codes


async def begin_new_passkey(vault: Vault, member: Member, session: Session) -> Challenge:
    """What the browser needs to make a passkey. `ConfirmFirst` unless the person has just shown who they are."""
    member.require_whole()
    factors: Factors = await vault.store.run(partial(_may_add_passkey, session))
    secret, challenge = await store_challenge(vault, CeremonyKind.NEW_PASSKEY, member.person_id)
    site = Site.of(vault.settings.public_url)
    options = registration_options(site, challenge, member.person_id, member.email, member.name, list(factors.passkeys))
    return Challenge(secret, options)


async def add_new_passkey(
    vault: Vault, member: Member, session: Session, secret: str, credential: str, name: str
) -> Added:
    """Stores the passkey that a browser made for our challenge. Raises `Invalid`, `Conflict` for one that is known."""
    member.require_whole()
    name = check_passkey_name(name)
    ceremony, challenge = await standing_challenge(vault, CeremonyKind.NEW_PASSKEY, secret)
    if ceremony.person_id != member.person_id:
        raise Invalid("This passkey could not be added. Try again.", path="$.credential")
    site = Site.of(vault.settings.public_url)
    passkey = read_registration(site, challenge, credential, member.person_id, name, vault.clock())
    codes = new_recovery_codes()
    added: Added = await vault.store.run(partial(_add_passkey, session, secret, passkey, codes))
    return added


async def rename_own_passkey(vault: Vault, member: Member, credential_id: str, name: str) -> None:
    """Changes what the person calls a passkey."""
    member.require_whole()
    name = check_passkey_name(name)
    await vault.store.run(partial(_rename_passkey, member.person_id, credential_id, name))


async def remove_own_passkey(vault: Vault, member: Member, session: Session, credential_id: str) -> None:
    """Forgets a passkey. Durable on return."""
    member.require_whole()
    await vault.store.run(partial(_remove_passkey, session, credential_id))


def _start_app(session: Session, sealed: bytes, unit: Unit) -> Stored[None]:
    if require_fresh(unit, session).has_app:
        raise Conflict("There is an app already: remove it first.", code="app_exists")
    put_totp(unit, session.person_id, sealed)
    return Stored(None)


def _confirm_app(vault: Vault, session: Session, code: str, codes: list[str], unit: Unit) -> Stored[Added]:
    factors = require_fresh(unit, session)
    if factors.app is None or factors.has_app:
        raise Conflict("There is no app to confirm: begin again.", code="no_app")
    step = matching_step(open_app_secret(vault, factors.app), code, unit.now, factors.app.last_step)
    if step is None or not confirm_totp(unit, session.person_id, step):
        raise Invalid("This code is not the one that the app should show now.", path="$.code")
    about = about_app(factors.app)
    return Stored(_added(unit, session, factors, codes, "an app for one-time codes", about))


def _remove_app(session: Session, unit: Unit) -> Stored[None]:
    factors = require_fresh(unit, session)
    if factors.app is None or not factors.has_app:
        raise NotFound("There is no app.")
    _keep_one(unit, session.person_id, left=len(factors.passkeys))
    remove_totp(unit, session.person_id)
    about = about_app(factors.app)
    _removed(unit, session, len(factors.passkeys), "the app for one-time codes", about)
    return Stored(None)


def _renew_codes(session: Session, codes: list[str], unit: Unit) -> Stored[None]:
    if not require_fresh(unit, session).exist:
        raise Conflict("Add a second factor first.", code="no_factor")
    _make_codes(unit, session, codes)
    return Stored(None)


def _may_add_passkey(session: Session, unit: Unit) -> Stored[Factors]:
    factors = require_fresh(unit, session)
    if len(factors.passkeys) >= MOST_PASSKEYS:
        raise Conflict(f"You have {MOST_PASSKEYS} passkeys already: remove one first.", code="too_many_passkeys")
    return Stored(factors)


def _add_passkey(session: Session, secret: str, passkey: Passkey, codes: list[str], unit: Unit) -> Stored[Added]:
    factors = _may_add_passkey(session, unit).value
    if not end_ceremony(unit, CeremonyKind.NEW_PASSKEY, secret):
        raise Conflict("This took too long. Try again.", code="challenge_over")
    if find_passkey(unit.connection, passkey.credential_id) is not None:
        raise Conflict("This passkey is known already.", code="passkey_exists")
    made = Passkey(
        passkey.credential_id, passkey.person_id, passkey.public_key, passkey.sign_count, passkey.name, unit.now
    )
    add_passkey(unit, made)
    return Stored(_added(unit, session, factors, codes, f"the passkey “{made.name}”", about_passkey(made)))


def _rename_passkey(person_id: str, credential_id: str, name: str, unit: Unit) -> Stored[None]:
    rename_passkey(unit, _own_passkey(unit, person_id, credential_id), name)
    return Stored(None)


def _remove_passkey(session: Session, credential_id: str, unit: Unit) -> Stored[None]:
    passkey = _own_passkey(unit, session.person_id, credential_id)
    factors = require_fresh(unit, session)
    left = len(factors.passkeys) - 1 + factors.has_app
    _keep_one(unit, session.person_id, left=left)
    remove_passkey(unit, passkey)
    _removed(unit, session, left, f"the passkey “{passkey.name}”", about_passkey(passkey))
    return Stored(None)


def _own_passkey(unit: Unit, person_id: str, credential_id: str) -> Passkey:
    for passkey in load_factors(unit.connection, person_id).passkeys:
        if passkey.credential_id == credential_id:
            return passkey
    raise NotFound("There is no such passkey.")


def _added(unit: Unit, session: Session, before: Factors, codes: list[str], what: str, about: JsonObject) -> Added:
    person = the_person(unit, session.person_id)
    record_for_person(
        unit,
        person,
        EventKind.PERSON_FACTOR_ADDED,
        reason=f"{person.email} added {what} as a second factor.",
        decider=by(person, session.assurance),
        metadata=about,
    )
    # Whoever gave a password and has just shown this factor has shown two.
    confirm_session(unit, session.session_id, Assurance.SECOND_FACTOR)
    if not before.exist:
        end_other_sessions(unit, session.person_id, keep=session.session_id)
    if before.unused_codes:
        return Added(())
    _make_codes(unit, session, codes)
    return Added(tuple(codes))


def _removed(unit: Unit, session: Session, left: int, what: str, about: JsonObject) -> None:
    person = the_person(unit, session.person_id)
    record_for_person(
        unit,
        person,
        EventKind.PERSON_FACTOR_REMOVED,
        reason=f"{person.email} removed {what}.",
        decider=by(person, session.assurance),
        metadata={**about, "left": left},
    )
    if not left:
        remove_recovery_codes(unit, session.person_id)


def _make_codes(unit: Unit, session: Session, codes: list[str]) -> None:
    person = the_person(unit, session.person_id)
    hashes = [hash_recovery_code(code) for code in codes]
    put_recovery_codes(unit, session.person_id, hashes)
    record_for_person(
        unit,
        person,
        EventKind.PERSON_RECOVERY_CODES_MADE,
        reason=f"{person.email} made recovery codes; earlier ones are worth nothing.",
        decider=by(person, session.assurance),
        metadata={"codes": len(codes), "codes_sha256": codes_digest(hashes)},
    )


def _keep_one(unit: Unit, person_id: str, *, left: int) -> None:
    """Conflict when this is the last factor and a tenant of the person asks for one."""
    if left:
        return
    for tenant_id, name, _ in tenants_of(unit.connection, person_id):
        if unit.tenant(tenant_id).settings.require_second_factor:
            raise Conflict(f"{name} asks its members for a second factor: add another one first.", code="last_factor")

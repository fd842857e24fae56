"""Showing again who one is, before changing how one signs in: by a second factor, or by the password without one."""

from __future__ import annotations

import asyncio
from functools import partial

from ledgix_vault.errors import Forbidden, Unauthenticated
from ledgix_vault.operations.steps.factors import tries_at_factors, use_code
from ledgix_vault.operations.steps.passkeys import (
    Challenge,
    Shown,
    read_assertion,
    settle_assertion,
    store_challenge,
)
from ledgix_vault.store.factors import load_factors
from ledgix_vault.store.people import find_person
from ledgix_vault.store.sessions import confirm_session
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.ceremonies import CeremonyKind
from ledgix_vault.tenancy.passkeys import REFUSED, Site, authentication_options
from ledgix_vault.tenancy.passwords import password_matches
from ledgix_vault.tenancy.people import Assurance, Member
from ledgix_vault.tenancy.sessions import Session
from ledgix_vault.vault import Vault

WRONG_PASSWORD = "This isn't your password."  # noqa: S105


async def confirm_by_code(vault: Vault, member: Member, session: Session, code: str, address: str) -> None:
    """By a code of the app or a recovery code. Raises `Unauthenticated`, or `Busy` after too many."""
    member.require_whole()
    tries = tries_at_factors(member.person_id)
    vault.attempts.begin(tries, address)
    await vault.store.run(partial(_confirm_by_code, vault, session, code))
    vault.attempts.succeeded(tries)


async def begin_confirmation(vault: Vault, member: Member) -> Challenge:
    """A challenge for the person's own passkeys."""
    member.require_whole()
    factors = await vault.store.read(partial(load_factors, person_id=member.person_id))
    secret, challenge = await store_challenge(vault, CeremonyKind.PASSKEY, member.person_id)
    site = Site.of(vault.settings.public_url)
    return Challenge(secret, authentication_options(site, challenge, list(factors.passkeys)))


async def confirm_by_passkey(vault: Vault, member: Member, session: Session, secret: str, credential: str) -> None:
    """By one of the person's passkeys. Raises `Unauthenticated`."""
    member.require_whole()
    shown = await read_assertion(vault, secret, credential)
    if shown.passkey.person_id != session.person_id:
        raise Unauthenticated(REFUSED)
    await vault.store.run(partial(_confirm_by_passkey, session, shown))


async def confirm_by_password(vault: Vault, member: Member, session: Session, password: str, address: str) -> None:
    """By the password, for whoever has no second factor. Raises `Unauthenticated`, or `Busy` after too many."""
    member.require_whole()
    vault.attempts.begin(member.email, address)
    person = await vault.store.read(partial(find_person, person_id=member.person_id))
    if person is None or not person.password_hash:
        raise Unauthenticated(WRONG_PASSWORD)
    async with vault.hashing:
        is_right = await asyncio.to_thread(password_matches, person.password_hash, password)
    if not is_right:
        vault.attempts.failed(address)
        raise Unauthenticated(WRONG_PASSWORD)
    vault.attempts.succeeded(member.email)
    await vault.store.run(partial(_confirm_by_password, session))


def _confirm_by_code(vault: Vault, session: Session, code: str, unit: Unit) -> Stored[None]:
    use_code(vault, unit, session.person_id, code)
    confirm_session(unit, session.session_id, Assurance.SECOND_FACTOR)
    return Stored(None)


def _confirm_by_passkey(session: Session, shown: Shown, unit: Unit) -> Stored[None]:
    settle_assertion(unit, shown)
    confirm_session(unit, session.session_id, Assurance.SECOND_FACTOR)
    return Stored(None)


def _confirm_by_password(session: Session, unit: Unit) -> Stored[None]:
    if load_factors(unit.connection, session.person_id).exist:
        raise Forbidden("Use your second factor.")
    confirm_session(unit, session.session_id, session.assurance)
    return Stored(None)

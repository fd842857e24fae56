"""Signing in with a password: who it is, shown once, for a session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ledgix_vault.errors import Unauthenticated
from ledgix_vault.operations.steps.sessions import start_session
from ledgix_vault.store.ceremonies import begin_ceremony
from ledgix_vault.store.factors import load_factors
from ledgix_vault.store.people import Person, change_person, find_person_by_email, tenants_of
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.ceremonies import CeremonyKind
from ledgix_vault.tenancy.passwords import hash_password, needs_rehash, password_matches, spend_the_same_time
from ledgix_vault.tenancy.people import Assurance
from ledgix_vault.tenancy.sessions import Known, new_session_secret
from ledgix_vault.vault import Vault

T = TypeVar("T")
REFUSED = "The e-mail address or the password is wrong."


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody typed; `address` is where they come from, `device` what their browser says it is."""

    email: str
    password: str
    address: str
    device: str


@dataclass(frozen=True, slots=True)
class Started:
    """What came of a right password. `secret` is a session's, or a half session's for whoever has a second factor:
    it lets them show that one, and nothing else."""

    secret: str
    needs_second_factor: bool


async def sign_in(vault: Vault, credentials: Credentials) -> Started:
    """A new session, its secret for a cookie; durable on return, with an event in the tenant that it is for. Or a half
    session, for whoever has a second factor.

    Raises `Unauthenticated` with the same words and after the same time whatever was wrong, and `Busy` after too many
    failed tries.
    """
    vault.attempts.begin(credentials.email, credentials.address)
    person = await vault.store.read(partial(find_person_by_email, email=credentials.email))
    if not await _is_right(vault, person, credentials.password) or person is None:
        vault.attempts.failed(credentials.address)
        raise Unauthenticated(REFUSED)
    vault.attempts.succeeded(credentials.email)
    fresh = None
    if needs_rehash(person.password_hash):
        fresh = await _in_thread(vault, partial(hash_password, credentials.password))
    secret = new_session_secret()
    started: Started = await vault.store.run(partial(_start, person, secret, credentials.device, fresh))
    return started


async def _is_right(vault: Vault, person: Person | None, password: str) -> bool:
    if person is None or not person.password_hash:
        await _in_thread(vault, partial(spend_the_same_time, password))
        return False
    return await _in_thread(vault, partial(password_matches, person.password_hash, password))


async def _in_thread(vault: Vault, work: partial[T]) -> T:
    """Argon2 takes 64 MiB each time: a few at once, the others wait."""
    async with vault.hashing:
        return await asyncio.to_thread(work)


def _start(person: Person, secret: str, device: str, fresh_hash: str | None, unit: Unit) -> Stored[Started]:
    belongs = tenants_of(unit.connection, person.person_id)
    if not belongs:
        raise Unauthenticated(REFUSED)
    if fresh_hash is not None:
        change_person(unit, person.person_id, password_hash=fresh_hash)
    if load_factors(unit.connection, person.person_id).exist:
        begin_ceremony(unit, CeremonyKind.HALF_SESSION, secret, {}, person_id=person.person_id)
        return Stored(Started(secret, needs_second_factor=True))
    start_session(unit, person, belongs[0][0], Known(Assurance.PASSWORD, unit.now), secret, device)
    return Stored(Started(secret, needs_second_factor=False))

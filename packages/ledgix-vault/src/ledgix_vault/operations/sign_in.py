"""Signing in with a password: who it is, shown once, for a session."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ledgix_vault.errors import Unauthenticated
from ledgix_vault.operations.steps.sessions import start_session
from ledgix_vault.store.people import Person, change_person, find_person_by_email, tenants_of
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.passwords import hash_password, needs_rehash, password_matches, spend_the_same_time
from ledgix_vault.tenancy.people import Assurance
from ledgix_vault.tenancy.sessions import new_session_secret
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


async def sign_in(vault: Vault, credentials: Credentials) -> str:
    """The secret of a new session, for a cookie. Durable on return, with an event in the tenant that it is for.

    Raises `Unauthenticated` with the same words and after the same time whatever was wrong, and `Busy` after too many
    failed tries.
    """
    vault.attempts.check(credentials.email, credentials.address)
    person = await vault.store.read(partial(find_person_by_email, email=credentials.email))
    if not await _is_right(vault, person, credentials.password) or person is None:
        vault.attempts.failed(credentials.email, credentials.address)
        raise Unauthenticated(REFUSED)
    vault.attempts.succeeded(credentials.email)
    fresh = None
    if needs_rehash(person.password_hash):
        fresh = await _in_thread(vault, partial(hash_password, credentials.password))
    secret = new_session_secret()
    await vault.store.run(partial(_start, person, secret, credentials.device, fresh))
    return secret


async def _is_right(vault: Vault, person: Person | None, password: str) -> bool:
    if person is None or not person.password_hash:
        await _in_thread(vault, partial(spend_the_same_time, password))
        return False
    return await _in_thread(vault, partial(password_matches, person.password_hash, password))


async def _in_thread(vault: Vault, work: partial[T]) -> T:
    """Argon2 takes 64 MiB each time: a few at once, the others wait."""
    async with vault.hashing:
        return await asyncio.to_thread(work)


def _start(person: Person, secret: str, device: str, fresh_hash: str | None, unit: Unit) -> Stored[None]:
    belongs = tenants_of(unit.connection, person.person_id)
    if not belongs:
        raise Unauthenticated(REFUSED)
    if fresh_hash is not None:
        change_person(unit, person.person_id, password_hash=fresh_hash)
    start_session(unit, person, belongs[0][0], Assurance.PASSWORD, secret, device)
    return Stored(None)

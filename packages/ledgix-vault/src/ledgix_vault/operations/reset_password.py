"""A new password for somebody who lost theirs: for whoever runs the Vault, since a person may be of several tenants."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import NotFound
from ledgix_vault.operations.steps.factors import forget_factors
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.ceremonies import forget_half_sessions
from ledgix_vault.store.people import change_person, find_person_by_email, tenants_of
from ledgix_vault.store.sessions import end_other_sessions
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.passwords import hash_password
from ledgix_vault.vault import Vault

PASSWORD_BYTES = 12


async def reset_password(vault: Vault, email: str, *, factors: bool = False) -> str:
    """The person's new password, made up, shown once. They are signed out everywhere, and each of their tenants' logs
    says so. With `factors` their second factors are removed as well. Raises `NotFound` for an address that nobody
    has."""
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    async with vault.hashing:
        hashed = await asyncio.to_thread(hash_password, password)
    await vault.store.run(partial(_reset, email, hashed, factors))
    return password


def _reset(email: str, hashed: str, factors: bool, unit: Unit) -> Stored[None]:
    person = find_person_by_email(unit.connection, email)
    if person is None:
        raise NotFound(f"Nobody has the address {email}; `ledgix-vault people list` shows everybody.")
    change_person(unit, person.person_id, password_hash=hashed)
    end_other_sessions(unit, person.person_id, keep="")
    forget_half_sessions(unit, person.person_id)
    if factors:
        forget_factors(unit, person, SYSTEM)
    for tenant_id, _, _ in tenants_of(unit.connection, person.person_id):
        record_administration(
            unit,
            tenant_id,
            EventKind.PERSON_PASSWORD_CHANGED,
            reason=f"The password of {email} was reset at the command line.",
            decider=SYSTEM,
            metadata={"person_id": person.person_id, "email": email},
        )
    return Stored(None)

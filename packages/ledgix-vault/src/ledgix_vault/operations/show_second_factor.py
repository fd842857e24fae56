"""The second step of signing in: after a right password, a code from an app or a recovery code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix_vault.errors import Unauthenticated
from ledgix_vault.operations.steps.factors import the_person, tries_at_factors, use_code
from ledgix_vault.operations.steps.sessions import start_session
from ledgix_vault.store.ceremonies import end_ceremony, find_ceremony
from ledgix_vault.store.factors import load_factors
from ledgix_vault.store.people import tenants_of
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.ceremonies import CeremonyKind
from ledgix_vault.tenancy.people import Assurance
from ledgix_vault.tenancy.sessions import Known, new_session_secret
from ledgix_vault.vault import Vault

OVER = "This took too long. Sign in again."


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody with a half session can show."""

    person_id: str
    has_app: bool
    has_passkeys: bool
    has_codes: bool


async def read_half_session(vault: Vault, half: str) -> Asked | None:
    """What is asked of whoever gave a right password; None when nothing is, or not any more."""
    kind = CeremonyKind.HALF_SESSION
    found = await vault.store.read(partial(find_ceremony, kind=kind, secret=half, now=vault.clock()))
    if found is None:
        return None
    factors = await vault.store.read(partial(load_factors, person_id=found.person_id))
    return Asked(found.person_id, factors.has_app, bool(factors.passkeys), bool(factors.unused_codes))


async def show_code(vault: Vault, half: str, code: str, address: str, device: str) -> str:
    """The secret of a new session, for a code of the app or a recovery code. Durable on return.

    Raises `Unauthenticated` for a code that doesn't count, and when the half session is over; `Busy` after too many.
    """
    asked = await read_half_session(vault, half)
    if asked is None:
        raise Unauthenticated(OVER)
    tries = tries_at_factors(asked.person_id)
    vault.attempts.begin(tries, address)
    secret = new_session_secret()
    try:
        await vault.store.run(partial(_show_code, vault, half, asked.person_id, code, secret, device))
    except Unauthenticated:
        vault.attempts.failed(address)
        raise
    vault.attempts.succeeded(tries)
    return secret


def _show_code(
    vault: Vault, half: str, person_id: str, code: str, secret: str, device: str, unit: Unit
) -> Stored[None]:
    if not end_ceremony(unit, CeremonyKind.HALF_SESSION, half):
        raise Unauthenticated(OVER)
    use_code(vault, unit, person_id, code)
    belongs = tenants_of(unit.connection, person_id)
    if not belongs:
        raise Unauthenticated(OVER)
    known = Known(Assurance.SECOND_FACTOR, unit.now)
    start_session(unit, the_person(unit, person_id), belongs[0][0], known, secret, device)
    return Stored(None)

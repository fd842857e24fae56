"""Signing in with a passkey: instead of a password, or after it as the second factor.

A passkey is two factors by itself: the device, and what its owner showed to it.
"""

from __future__ import annotations

from functools import partial

from ledgix_vault.errors import Unauthenticated
from ledgix_vault.operations.steps.factors import the_person
from ledgix_vault.operations.steps.passkeys import (
    Challenge,
    Shown,
    read_assertion,
    settle_assertion,
    store_challenge,
)
from ledgix_vault.operations.steps.sessions import start_session
from ledgix_vault.store.ceremonies import find_ceremony
from ledgix_vault.store.factors import load_factors
from ledgix_vault.store.people import tenants_of
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.ceremonies import CeremonyKind
from ledgix_vault.tenancy.passkeys import REFUSED, Site, authentication_options
from ledgix_vault.tenancy.people import Assurance
from ledgix_vault.tenancy.sessions import Known, new_session_secret
from ledgix_vault.vault import Vault


async def begin_passkey_sign_in(vault: Vault, address: str) -> Challenge:
    """A challenge for any passkey of this site. Durable on return."""
    vault.attempts.asked(address)
    return await _challenge(vault, "")


async def begin_passkey_step(vault: Vault, half: str, address: str) -> Challenge:
    """A challenge for the passkeys of whoever gave a right password; raises `Unauthenticated` when that is over."""
    vault.attempts.asked(address)
    kind = CeremonyKind.HALF_SESSION
    known = await vault.store.read(partial(find_ceremony, kind=kind, secret=half, now=vault.clock()))
    if known is None:
        raise Unauthenticated("This took too long. Sign in again.")
    return await _challenge(vault, known.person_id)


async def sign_in_with_passkey(vault: Vault, secret: str, credential: str, address: str, device: str) -> str:
    """The secret of a new session for whoever used a passkey. Durable on return; raises `Unauthenticated`."""
    vault.attempts.asked(address)
    try:
        shown = await read_assertion(vault, secret, credential)
        session = new_session_secret()
        await vault.store.run(partial(_start, shown, session, device))
    except Unauthenticated:
        vault.attempts.failed(address)
        raise
    return session


async def _challenge(vault: Vault, person_id: str) -> Challenge:
    factors = await vault.store.read(partial(load_factors, person_id=person_id))
    secret, challenge = await store_challenge(vault, CeremonyKind.PASSKEY, person_id)
    site = Site.of(vault.settings.public_url)
    return Challenge(secret, authentication_options(site, challenge, list(factors.passkeys)))


def _start(shown: Shown, session: str, device: str, unit: Unit) -> Stored[None]:
    settle_assertion(unit, shown)
    person_id = shown.passkey.person_id
    belongs = tenants_of(unit.connection, person_id)
    if not belongs:
        raise Unauthenticated(REFUSED)
    known = Known(Assurance.SECOND_FACTOR, unit.now)
    start_session(unit, the_person(unit, person_id), belongs[0][0], known, session, device)
    return Stored(None)

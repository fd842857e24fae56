"""Using a passkey: the challenge, the answer read outside of the transaction, and its one effect inside."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from functools import partial

from ledgix_vault.errors import Unauthenticated
from ledgix_vault.store.ceremonies import begin_ceremony, end_ceremony, find_ceremony
from ledgix_vault.store.factors import find_passkey, use_passkey
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.ceremonies import Ceremony, CeremonyKind
from ledgix_vault.tenancy.passkeys import CHALLENGE_BYTES, REFUSED, Passkey, Site, check_assertion, credential_id_of
from ledgix_vault.tenancy.sessions import new_session_secret
from ledgix_vault.vault import Vault


@dataclass(frozen=True, slots=True)
class Challenge:
    """For the browser: `options` as JSON, and the secret with which the answer has to come back."""

    secret: str
    options: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A passkey that answered a challenge rightly; nothing is stored of it yet."""

    secret: str
    passkey: Passkey
    sign_count: int


async def store_challenge(vault: Vault, kind: CeremonyKind, person_id: str) -> tuple[str, bytes]:
    """(secret, challenge) of a new ceremony. Durable on return."""
    secret, challenge = new_session_secret(), secrets.token_bytes(CHALLENGE_BYTES)
    await vault.store.run(partial(_begin, kind, person_id, secret, challenge))
    return secret, challenge


async def standing_challenge(vault: Vault, kind: CeremonyKind, secret: str) -> tuple[Ceremony, bytes]:
    """The ceremony and its challenge; raises `Unauthenticated` when it is over."""
    found = await vault.store.read(partial(find_ceremony, kind=kind, secret=secret, now=vault.clock()))
    if found is None:
        raise Unauthenticated("This took too long. Try again.")
    return found, bytes.fromhex(str(found.content["challenge"]))


async def read_assertion(vault: Vault, secret: str, credential: str) -> Shown:
    """The passkey that a browser used; raises `Unauthenticated`. Somebody else's, or one that the device remembers for
    somebody else, isn't accepted either."""
    ceremony, challenge = await standing_challenge(vault, CeremonyKind.PASSKEY, secret)
    credential_id, handle = credential_id_of(credential)
    passkey = await vault.store.read(partial(find_passkey, credential_id=credential_id))
    if passkey is None or ceremony.person_id not in ("", passkey.person_id):
        raise Unauthenticated(REFUSED)
    # Without an allow list the device has to name the owner (WebAuthn section 7.2, step 6).
    if handle != passkey.person_id and (handle or not ceremony.person_id):
        raise Unauthenticated(REFUSED)
    site = Site.of(vault.settings.public_url)
    count = await asyncio.to_thread(check_assertion, site, challenge, credential, passkey)
    return Shown(secret, passkey, count)


def settle_assertion(unit: Unit, shown: Shown) -> None:
    """Uses up the challenge and moves the counter; `Unauthenticated` for whoever comes second."""
    if not (
        end_ceremony(unit, CeremonyKind.PASSKEY, shown.secret) and use_passkey(unit, shown.passkey, shown.sign_count)
    ):
        raise Unauthenticated(REFUSED)


def _begin(kind: CeremonyKind, person_id: str, secret: str, challenge: bytes, unit: Unit) -> Stored[None]:
    begin_ceremony(unit, kind, secret, {"challenge": challenge.hex()}, person_id=person_id)
    return Stored(None)

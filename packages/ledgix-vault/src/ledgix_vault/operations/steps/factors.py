"""What operations about second factors share."""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import Decider, DeciderType
from ledgix_vault.errors import Forbidden, Unauthenticated, VaultError
from ledgix_vault.keys.sealing import SealBroken
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.factors import (
    Factors,
    load_factors,
    remove_passkey,
    remove_recovery_codes,
    remove_totp,
    use_recovery_code,
    use_totp_step,
)
from ledgix_vault.store.people import Person, find_person, tenants_of
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.passkeys import Passkey
from ledgix_vault.tenancy.people import Assurance
from ledgix_vault.tenancy.recovery_codes import hash_recovery_code
from ledgix_vault.tenancy.sessions import Session
from ledgix_vault.tenancy.totp import DIGITS, Totp, matching_step
from ledgix_vault.vault import Vault

WRONG_CODE = "This code is wrong, too old, or was used already."


class ConfirmFirst(Forbidden):
    """A refusal that ends when the person shows again who they are."""

    code = "confirm_first"

    def __init__(self) -> None:
        super().__init__("Show first that it is you.")


class Way(StrEnum):
    """By which code somebody showed who they are."""

    APP = "app"
    RECOVERY_CODE = "recovery_code"


def app_secret_place(person_id: str) -> str:
    """The place for which the secret of a person's app is sealed."""
    return f"{person_id}/totp"


def open_app_secret(vault: Vault, app: Totp) -> str:
    """The secret that the person's app has, too."""
    try:
        return vault.keys.seal.open(app.sealed_secret, app_secret_place(app.person_id))
    except SealBroken as error:
        raise VaultError("A stored secret for one-time codes can't be opened: it was sealed elsewhere.") from error


def tries_at_factors(person_id: str) -> str:
    """What failed codes are counted by: a right password must not forget them."""
    return f"{person_id}/second factor"


def use_code(vault: Vault, unit: Unit, person_id: str, code: str) -> Way:
    """Uses a code of the person's app or one of their recovery codes; raises `Unauthenticated` when it doesn't count.
    A recovery code that is used is an event."""
    factors = load_factors(unit.connection, person_id)
    if len("".join(code.split())) == DIGITS:
        if factors.app is not None and factors.has_app:
            step = matching_step(open_app_secret(vault, factors.app), code, unit.now, factors.app.last_step)
            if step is not None and use_totp_step(unit, person_id, step):
                return Way.APP
        raise Unauthenticated(WRONG_CODE)
    code_hash = hash_recovery_code(code)
    if not factors.exist or not use_recovery_code(unit, person_id, code_hash):
        raise Unauthenticated(WRONG_CODE)
    person = the_person(unit, person_id)
    record_for_person(
        unit,
        person,
        EventKind.PERSON_RECOVERY_CODE_USED,
        reason=f"{person.email} used a recovery code; {len(factors.unused_codes) - 1} are left.",
        decider=by(person, Assurance.SECOND_FACTOR),
        metadata={"code_sha256": sha256(code_hash).hexdigest()},
    )
    return Way.RECOVERY_CODE


def the_person(unit: Unit, person_id: str) -> Person:
    """The person of a session or ceremony: people are never deleted."""
    person = find_person(unit.connection, person_id)
    if person is None:
        raise VaultError("A stored person is missing.")
    return person


def require_fresh(unit: Unit, session: Session) -> Factors:
    """The person's factors; `ConfirmFirst` unless they have just shown who they are, by a factor if they have one."""
    factors = load_factors(unit.connection, session.person_id)
    if not session.is_fresh(unit.now, has_factors=factors.exist):
        raise ConfirmFirst
    return factors


def by(person: Person, assurance: Assurance) -> Decider:
    """The person as the one who did it."""
    return Decider(DeciderType.PERSON, person.person_id, str(assurance))


def about_app(app: Totp) -> JsonObject:
    """What entries say of an app."""
    return {"factor": "app", "sealed_secret_sha256": app.secret_hash}


def about_passkey(passkey: Passkey) -> JsonObject:
    """What entries say of a passkey."""
    return {"factor": "passkey", "credential_id": passkey.credential_id, "public_key_sha256": passkey.key_hash}


def forget_factors(unit: Unit, person: Person, decider: Decider) -> None:
    """Removes every second factor of a person."""
    factors = load_factors(unit.connection, person.person_id)
    gone = [about_passkey(each) for each in factors.passkeys]
    if factors.app is not None and factors.has_app:
        gone.append(about_app(factors.app))
    for left, about in reversed(list(enumerate(gone))):
        record_for_person(
            unit,
            person,
            EventKind.PERSON_FACTOR_REMOVED,
            reason=f"A second factor of {person.email} was removed.",
            decider=decider,
            metadata={**about, "left": left},
        )
    for passkey in factors.passkeys:
        remove_passkey(unit, passkey)
    remove_totp(unit, person.person_id)
    remove_recovery_codes(unit, person.person_id)


def record_for_person(
    unit: Unit, person: Person, kind: EventKind, *, reason: str, decider: Decider, metadata: JsonObject
) -> None:
    """The same event in the log of each of the person's tenants."""
    for tenant_id, _, _ in tenants_of(unit.connection, person.person_id):
        record_administration(
            unit,
            tenant_id,
            kind,
            reason=reason,
            decider=decider,
            metadata={"person_id": person.person_id, "email": person.email, **metadata},
        )

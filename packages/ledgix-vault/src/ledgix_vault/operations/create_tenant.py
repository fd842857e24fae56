"""Creating a tenant: its ledger key, its empty log, its first full-access key and, if given, its first owner."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix.formats.keys import PublicKey
from ledgix_vault.clearance.decision import SYSTEM
from ledgix_vault.errors import Conflict
from ledgix_vault.operations.steps.keys import Rights, add_key, check_name
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.administration import add_tenant, tenant_exists
from ledgix_vault.store.people import add_membership, add_person
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.api_keys import new_secret
from ledgix_vault.tenancy.people import Role
from ledgix_vault.tenancy.scopes import PRESETS, Preset
from ledgix_vault.vault import Vault

FIRST_KEY_NAME = "first key (full access)"


@dataclass(frozen=True, slots=True)
class Owner:
    """The first person of a tenant; the password only as its argon2 hash."""

    email: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class CreatedTenant:
    """A new tenant. `api_key` is shown once."""

    tenant_id: str
    name: str
    api_key: str


def create_tenant(vault: Vault, name: str, owner: Owner | None = None) -> CreatedTenant:
    """Creates everything in one transaction; raises `Conflict` when the name is taken.

    The ledger key's file is durable before any row names it: a crash in between leaves an unused file.
    """
    check_name(name)
    secret = new_secret()
    ledger_key = vault.keys.generate()
    tenant_id: str = vault.store.run_and_wait(partial(_create, name, owner, ledger_key, secret))
    return CreatedTenant(tenant_id, name, secret)


def _create(name: str, owner: Owner | None, ledger_key: PublicKey, secret: str, unit: Unit) -> Stored[str]:
    if tenant_exists(unit, name):
        raise Conflict(f"There is a tenant named {name!r} already.", code="tenant_exists")
    tenant_id = add_tenant(unit, name, ledger_key)
    metadata: JsonObject = {"name": name, "ledger_key_id": ledger_key.kid}
    if owner is not None:
        person = add_person(unit, owner.email, "", owner.password_hash)
        add_membership(unit, tenant_id, person.person_id, Role.OWNER)
        metadata["owner"] = {"person_id": person.person_id, "email": person.email}
    record_administration(
        unit,
        tenant_id,
        EventKind.TENANT_CREATED,
        reason=f"The tenant {name} was created.",
        decider=SYSTEM,
        metadata=metadata,
    )
    add_key(tenant_id, Rights(FIRST_KEY_NAME, PRESETS[Preset.FULL]), secret, SYSTEM, unit)
    return Stored(tenant_id)

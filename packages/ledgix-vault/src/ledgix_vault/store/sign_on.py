"""Single sign-on as rows: a tenant's provider, and whom that provider has named."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from ledgix.formats import jcs
from ledgix_vault.store import schema
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.sign_on import SingleSignOn

_S, _I = schema.single_sign_on, schema.person_identity


def change_single_sign_on(unit: Unit, tenant_id: str, settings: SingleSignOn) -> None:
    """Replaces the tenant's provider."""
    unit.write(delete(_S).where(_S.c.tenant_id == tenant_id))
    unit.insert(_S, (tenant_id, jcs.canonicalize(settings.to_json()).decode(), settings.sealed_secret))
    unit.tenant_changed(tenant_id)


def find_identity(connection: Connection, tenant_id: str, issuer: str, subject: str) -> str | None:
    """The id of the person whom the tenant's provider means by this subject; None before the first time."""
    found = connection.execute(
        select(_I.c.person_id).where(_I.c.tenant_id == tenant_id, _I.c.issuer == issuer, _I.c.subject == subject)
    ).scalar_one_or_none()
    return None if found is None else str(found)


def add_identity(unit: Unit, tenant_id: str, issuer: str, subject: str, person_id: str) -> None:
    """From now on the provider's subject is this person."""
    unit.insert(_I, (tenant_id, issuer, subject, person_id, unit.now))

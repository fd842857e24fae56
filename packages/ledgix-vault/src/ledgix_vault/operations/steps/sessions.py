"""Starting a session inside a transaction, with its event."""

from __future__ import annotations

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import Decider, DeciderType
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.people import Person
from ledgix_vault.store.sessions import add_session
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.sessions import Known, Session, hash_session_secret


def start_session(unit: Unit, person: Person, tenant_id: str, known: Known, secret: str, device: str) -> Session:
    """A session of this person for this tenant, and the event in the tenant's log that says so."""
    session = add_session(unit, person.person_id, tenant_id, known, hash_session_secret(secret), device)
    record_administration(
        unit,
        tenant_id,
        EventKind.PERSON_SIGNED_IN,
        reason=f"{person.email} signed in.",
        decider=Decider(DeciderType.PERSON, person.person_id, str(known.assurance)),
        metadata={"person_id": person.person_id, "email": person.email, "session_id": session.session_id},
    )
    return session

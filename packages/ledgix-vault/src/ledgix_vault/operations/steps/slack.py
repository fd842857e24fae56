"""What linking Slack users and hearing their clicks share."""

from __future__ import annotations

from hashlib import sha256

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.decision import Decider, decider_of
from ledgix_vault.operations.steps.record import record_administration
from ledgix_vault.store.people import list_members
from ledgix_vault.store.slack import forget_codes, remove_link, slack_users_of
from ledgix_vault.store.unit import Unit
from ledgix_vault.tenancy.callers import Caller


def hash_code(code: str) -> bytes:
    """How a code is stored."""
    return sha256(code.encode("utf-8", "replace")).digest()


def record_link(
    unit: Unit, tenant_id: str, kind: EventKind, slack_user_id: str, person_id: str, email: str, by: Decider
) -> None:
    """Appends the event that a Slack user is, or is no longer, a person."""
    verb = "is" if kind is EventKind.PERSON_SLACK_LINKED else "is no longer"
    record_administration(
        unit,
        tenant_id,
        kind,
        reason=f"The Slack user {slack_user_id} {verb} {email}.",
        decider=by,
        metadata={"person_id": person_id, "email": email, "slack_user_id": slack_user_id},
    )


def unlink_person(unit: Unit, tenant_id: str, person_id: str, email: str, by: Decider) -> None:
    """Ends every link of a person for this tenant, with an event each."""
    for slack_user_id in slack_users_of(unit.connection, tenant_id, person_id):
        remove_link(unit, tenant_id, slack_user_id)
        record_link(unit, tenant_id, EventKind.PERSON_SLACK_UNLINKED, slack_user_id, person_id, email, by)


def unlink_all(unit: Unit, caller: Caller) -> None:
    """Ends every link of the caller's tenant and forgets its codes: they were made under another secret."""
    forget_codes(unit, caller.tenant_id)
    for member in list_members(unit.connection, caller.tenant_id):
        unlink_person(unit, caller.tenant_id, member.person_id, member.email, decider_of(caller))

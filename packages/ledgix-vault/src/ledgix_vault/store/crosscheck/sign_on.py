"""Single sign-on against the ledger: which provider names members, and whom it has named."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from ledgix.formats.events import EventKind
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import differing, entries_of_kinds
from ledgix_vault.store.tenants import load_single_sign_on
from ledgix_vault.tenancy.sign_on import NO_SINGLE_SIGN_ON, SINGLE_SIGN_ON
from ledgix_vault.times import rfc3339

_I = schema.person_identity


def sign_on_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    """Every flaw of the tenant's single sign-on."""
    changes = entries_of_kinds(connection, tenant_id, [EventKind.SETTINGS_CHANGED])
    newest = next((each for each in reversed(list(changes)) if each.metadata.get("settings") == SINGLE_SIGN_ON), None)
    recorded = NO_SINGLE_SIGN_ON.for_ledger() if newest is None else newest.metadata["after"]
    if different := differing(load_single_sign_on(connection, tenant_id).for_ledger(), recorded):
        place = "the ledger (no entry changed them)" if newest is None else f"entry {newest.position}"
        yield f"single sign-on's settings {', '.join(different)} are not those of {place}"
    yield from _identity_flaws(connection, tenant_id)


def _identity_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    linked = {
        (str(entry.metadata["issuer"]), str(entry.metadata["subject"])): entry
        for entry in entries_of_kinds(connection, tenant_id, [EventKind.PERSON_IDENTITY_LINKED])
    }
    rows = connection.execute(select(_I).where(_I.c.tenant_id == tenant_id).order_by(_I.c.issuer, _I.c.subject))
    for row in rows:
        place = f"the identity {row.subject!r} of {row.issuer}"
        entry = linked.pop((row.issuer, row.subject), None)
        if entry is None:
            yield f"{place} is in the database, but no entry of the ledger linked it"
        elif (row.person_id, rfc3339(row.linked_at)) != (entry.metadata["person_id"], entry.accepted_at):
            yield f"{place}: its row says otherwise than entry {entry.position}"
    for (issuer, subject), entry in linked.items():
        yield f"the identity {subject!r} of {issuer}, linked by entry {entry.position}, is missing"

"""Notification settings and links to Slack against the ledger: where news go, and whose click counts as whose.

Not held against it, because nothing follows from them: what was told, its deliveries, and codes that nobody used yet.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from ledgix.formats.events import EventKind
from ledgix_vault.notices.settings import NO_NOTIFICATIONS, NOTIFICATIONS
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import Entry, differing, entries_of_kinds, rows_by, unpaired
from ledgix_vault.store.tenants import load_notification_settings
from ledgix_vault.times import rfc3339


def notification_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    """Where the settings are not those of the newest entry about them."""
    changes = entries_of_kinds(connection, tenant_id, [EventKind.SETTINGS_CHANGED])
    newest = next((entry for entry in reversed(list(changes)) if entry.metadata.get("settings") == NOTIFICATIONS), None)
    recorded = NO_NOTIFICATIONS.for_ledger() if newest is None else newest.metadata["after"]
    said = load_notification_settings(connection, tenant_id).for_ledger()
    # A setting that is younger than the entry is what it is by default.
    if different := differing(said, {**NO_NOTIFICATIONS.for_ledger(), **recorded}):
        place = "the ledger (no entry changed them)" if newest is None else f"entry {newest.position}"
        yield f"the notification settings {', '.join(different)} are not those of {place}"


def slack_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    """Where a link to a Slack user is not one that a person made."""
    made: dict[str, Entry] = {}
    for entry in entries_of_kinds(
        connection, tenant_id, [EventKind.PERSON_SLACK_LINKED, EventKind.PERSON_SLACK_UNLINKED]
    ):
        slack_user_id = str(entry.metadata["slack_user_id"])
        if entry.kind == EventKind.PERSON_SLACK_LINKED:
            made[slack_user_id] = entry
        else:
            made.pop(slack_user_id, None)
    rows = rows_by(connection, schema.slack_link, tenant_id, "slack_user_id")
    yield from unpaired("link to the Slack user", rows, made)
    for name in sorted(rows.keys() & made.keys()):
        row, entry = rows[name], made[name]
        if row.person_id != entry.decider_id or rfc3339(row.linked_at) != entry.accepted_at:
            yield f"the link to the Slack user {name!r} is not the one that entry {entry.position} made"

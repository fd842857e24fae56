"""What a tenant is and has, against the ledger: name, settings, judge, single sign-on, API keys, policies, schemas,
suspensions, notifications, members."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from ledgix.formats import jcs
from ledgix.formats.events import EventKind
from ledgix.formats.json import parse
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.notifications import notification_flaws, slack_flaws
from ledgix_vault.store.crosscheck.people import people_flaws
from ledgix_vault.store.crosscheck.policies import policy_flaws
from ledgix_vault.store.crosscheck.reading import (
    ABOUT_THE_ACTOR,
    Entry,
    differing,
    entries,
    entries_of_kinds,
    readable,
    rows_by,
    unpaired,
)
from ledgix_vault.store.crosscheck.settings import SettingsHistory
from ledgix_vault.store.crosscheck.sign_on import sign_on_flaws
from ledgix_vault.store.crosscheck.suspensions import suspension_flaws
from ledgix_vault.store.tenants import load_judge_settings, stored_object
from ledgix_vault.tenancy.judge_settings import JUDGE, NO_JUDGE
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.times import rfc3339

_E = schema.event
_NOT_IN_THE_ROW = ABOUT_THE_ACTOR | {"expires_at", "replaces", "replaced_expires_at"}
"""What entries about keys say beside what the row of the key repeats; `expires_at` has a check of its own."""


def tenant_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    """Every flaw of the tenant's own rows."""
    founding = next(entries(connection, tenant_id, _E.c.leaf_index == 0), None)
    if founding is None or founding.kind != EventKind.TENANT_CREATED:
        yield "its ledger doesn't begin with the tenant's creation"
        return
    sections: dict[str, Callable[[], Iterator[str]]] = {
        "the tenant's row": partial(_founding_flaws, connection, tenant_id, founding),
        "the tenant's settings": partial(_settings_flaws, connection, tenant_id),
        "the judge": partial(_judge_flaws, connection, tenant_id),
        "the API keys": partial(_api_key_flaws, connection, tenant_id),
        "the policies": partial(policy_flaws, connection, tenant_id, key_lineages(connection, tenant_id)),
        "the tool schemas": partial(_tool_schema_flaws, connection, tenant_id),
        "the suspensions": partial(suspension_flaws, connection, tenant_id),
        "single sign-on": partial(sign_on_flaws, connection, tenant_id),
        "the notifications": partial(notification_flaws, connection, tenant_id),
        "the Slack users": partial(slack_flaws, connection, tenant_id),
        "the members": partial(people_flaws, connection, tenant_id),
    }
    for what, look in sections.items():
        yield from readable(what, look)


def key_lineages(connection: Connection, tenant_id: str) -> dict[str, str]:
    """The first key of the rotation chain, by key id, as the ledger has it."""
    made = entries_of_kinds(connection, tenant_id, (EventKind.KEY_CREATED, EventKind.KEY_ROTATED))
    return {str(entry.metadata["key_id"]): str(entry.metadata["lineage"]) for entry in made}


def _founding_flaws(connection: Connection, tenant_id: str, founding: Entry) -> Iterator[str]:
    row = connection.execute(select(schema.tenant).where(schema.tenant.c.tenant_id == tenant_id)).one()
    if row.name != founding.metadata["name"]:
        yield f"the tenant's name is {row.name!r}; entry 1 says {founding.metadata['name']!r}"
    if rfc3339(row.created_at) != founding.accepted_at:
        yield "the tenant's row says another time of creation than entry 1"


def _settings_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    history = SettingsHistory.load(connection, tenant_id)
    text = connection.execute(
        select(schema.tenant.c.settings).where(schema.tenant.c.tenant_id == tenant_id)
    ).scalar_one()
    recorded = history.settings[-1] if history.settings else ReviewSettings()
    # A setting that is younger than the row is what it is by default.
    if different := differing({**ReviewSettings().to_json(), **stored_object(text)}, recorded.to_json()):
        place = f"entry {history.positions[-1]}" if history.positions else "the ledger (no entry changed them)"
        yield f"the settings {', '.join(different)} are not those of {place}"


def _judge_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    changes = entries_of_kinds(connection, tenant_id, [EventKind.SETTINGS_CHANGED])
    newest = next((entry for entry in reversed(list(changes)) if entry.metadata.get("settings") == JUDGE), None)
    recorded = NO_JUDGE.for_ledger() if newest is None else newest.metadata["after"]
    if different := differing(load_judge_settings(connection, tenant_id).for_ledger(), recorded):
        place = "the ledger (no entry changed them)" if newest is None else f"entry {newest.position}"
        yield f"the judge's settings {', '.join(different)} are not those of {place}"


def _api_key_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    made: dict[str, Entry] = {}
    revoked: dict[str, Entry] = {}
    ends: dict[str, tuple[Any, Entry]] = {}
    kinds = (EventKind.KEY_CREATED, EventKind.KEY_ROTATED, EventKind.KEY_REVOKED)
    for entry in entries_of_kinds(connection, tenant_id, kinds):
        key_id = str(entry.metadata["key_id"])
        if entry.kind == EventKind.KEY_REVOKED:
            revoked[key_id] = entry
            continue
        made[key_id] = entry
        ends[key_id] = (entry.metadata.get("expires_at"), entry)
        if "replaces" in entry.metadata:
            ends[str(entry.metadata["replaces"])] = (entry.metadata["replaced_expires_at"], entry)
    rows = rows_by(connection, schema.api_key, tenant_id, "key_id")
    yield from unpaired("API key", rows, made)
    for key_id in rows.keys() & made.keys():
        yield from readable(
            f"the API key {key_id}", partial(_one_api_key_flaws, rows[key_id], made[key_id], revoked.get(key_id))
        )
        yield from _expiry_flaws(rows[key_id], *ends[key_id])


def _expiry_flaws(row: Any, end: Any, said: Entry) -> Iterator[str]:
    """A key ends when the entry that made it says, or the newest one about a key that replaced it."""
    stored = None if row.expires_at is None else rfc3339(row.expires_at)
    if stored != end:
        place = f"the API key {row.key_id}: its row says that it expires {stored or 'never'}"
        yield f"{place}; entry {said.position} says {end or 'never'}"


def _one_api_key_flaws(row: Any, made: Entry, revoked: Entry | None) -> Iterator[str]:
    said = {
        "key_id": row.key_id,
        "name": row.name,
        "scopes": sorted(Scope(name) for name in row.scopes.split()),
        "agent_ids": parse(row.agent_ids.encode()),
        "lineage": row.lineage,
        "secret_sha256": bytes(row.secret_hash).hex(),
    }
    place = f"the API key {row.key_id}"
    recorded = {name: value for name, value in made.metadata.items() if name not in _NOT_IN_THE_ROW}
    if different := differing(said, recorded):
        yield f"{place}: its row says otherwise than entry {made.position} about {', '.join(different)}"
    if rfc3339(row.created_at) != made.accepted_at:
        yield f"{place}: its row says another time of creation than entry {made.position}"
    if revoked is None:
        if row.revoked_at is not None:
            yield f"{place}: its row says that it is revoked; the ledger doesn't"
    elif row.revoked_at is None:
        yield f"{place}: entry {revoked.position} revoked it; its row doesn't say so"
    elif rfc3339(row.revoked_at) != revoked.accepted_at:
        yield f"{place}: its row says another time of revocation than entry {revoked.position}"


def _tool_schema_flaws(connection: Connection, tenant_id: str) -> Iterator[str]:
    registered = {
        str(entry.metadata["tool_name"]): entry
        for entry in entries_of_kinds(connection, tenant_id, [EventKind.SCHEMA_REGISTERED])
    }
    rows = rows_by(connection, schema.tool_schema, tenant_id, "tool_name")
    yield from unpaired("tool schema", rows, registered)
    for name in rows.keys() & registered.keys():
        yield from readable(f"the tool schema {name!r}", partial(_one_schema_flaws, rows[name], registered[name]))


def _one_schema_flaws(row: Any, registered: Entry) -> Iterator[str]:
    place = f"the tool schema {row.tool_name!r}"
    if jcs.sha256_hex(stored_object(row.json_schema)) != registered.metadata["schema_hash"]:
        yield f"{place} is not the one that entry {registered.position} registered"
    if rfc3339(row.registered_at) != registered.accepted_at:
        yield f"{place}: its row says another time than entry {registered.position}"

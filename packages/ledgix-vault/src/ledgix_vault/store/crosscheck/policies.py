"""Policy versions against the ledger: the life of each is told again from its events, and every row must agree.

What its events say of a version is all that a row may say: who wrote it, who confirmed and activated it, and when, what
was confirmed, which version it replaced, and the state that it is in by now.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Connection

from ledgix.formats import jcs, json
from ledgix.formats.events import EventKind
from ledgix_vault.policy.versions import VersionState
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import Entry, differing, entries_of_kinds, readable, rows_by, unpaired
from ledgix_vault.store.tenants import stored_object
from ledgix_vault.times import rfc3339

_KINDS = (
    EventKind.POLICY_DRAFTED,
    EventKind.POLICY_CONFIRMED,
    EventKind.POLICY_ACTIVATED,
    EventKind.POLICY_SHADOWED,
    EventKind.POLICY_RETIRED,
    EventKind.POLICY_ROLLED_BACK,
)


@dataclass(frozen=True)
class _Told:
    """A version as its events leave it, and the newest of them."""

    said: dict[str, Any]
    newest: Entry

    def with_(self, entry: Entry, **changes: Any) -> _Told:
        return _Told({**self.said, **changes}, entry)

    @property
    def policy_id(self) -> str:
        return str(self.said["policy_id"])


def policy_flaws(connection: Connection, tenant_id: str, lineages: Mapping[str, str]) -> Iterator[str]:
    """Every flaw; `lineages` gives the first key of the rotation chain for each API key."""
    told = _retold(entries_of_kinds(connection, tenant_id, _KINDS), lineages)
    rows = rows_by(connection, schema.policy_version, tenant_id, "policy_version_id")
    yield from unpaired("policy version", rows, {version_id: one.newest for version_id, one in told.items()})
    for version_id in rows.keys() & told.keys():
        yield from readable(
            f"the policy version {version_id}", partial(_version_flaws, rows[version_id], told[version_id])
        )


def _retold(entries: Iterator[Entry], lineages: Mapping[str, str]) -> dict[str, _Told]:
    told: dict[str, _Told] = {}
    for entry in entries:
        version_id = str(entry.metadata["policy_version_id"])
        if is_new := version_id not in told:
            told[version_id] = _drafted(entry, lineages)
        told.update(_moved(told, version_id, entry, is_new))
    return told


def _drafted(entry: Entry, lineages: Mapping[str, str]) -> _Told:
    written = entry.metadata
    return _Told(
        {
            "policy_id": written["policy_id"],
            "policy_version_id": written["policy_version_id"],
            "policy_content_hash": written["policy_content_hash"],
            "version": written["version"],
            "registered_at": entry.accepted_at,
            "registered_by": entry.decider_id,
            # Before versions had a life of their own, whoever registered one was its only author.
            "authors": written.get("authors", [lineages.get(entry.decider_id, entry.decider_id)]),
            "state": VersionState.DRAFT,
            "confirmed_at": None,
            "confirmed_by": None,
            "confirmation_hash": None,
            "activated_at": None,
            "activated_by": None,
            "replaced": None,
        },
        entry,
    )


def _moved(told: Mapping[str, _Told], version_id: str, entry: Entry, is_new: bool) -> dict[str, _Told]:
    """What the entry changes: the version that it is about, and the one whose place that takes."""
    this = told[version_id]
    confirmed = {
        "confirmed_at": entry.accepted_at,
        "confirmed_by": entry.decider_id,
        "confirmation_hash": entry.metadata.get("confirmation_hash"),
    }
    activated: dict[str, Any] = {
        "activated_at": entry.accepted_at,
        "activated_by": entry.decider_id,
        "state": VersionState.ACTIVE,
    }
    match entry.kind:
        case EventKind.POLICY_DRAFTED:
            return {}
        case EventKind.POLICY_CONFIRMED:
            was = this.said["state"]
            state = VersionState.CONFIRMED if was == VersionState.DRAFT else was
            return {version_id: this.with_(entry, **confirmed, state=state)}
        case EventKind.POLICY_RETIRED:
            return {version_id: this.with_(entry, state=VersionState.RETIRED)}
        case EventKind.POLICY_SHADOWED:
            displaced = _in_state(told, this.policy_id, VersionState.SHADOW)
            after = {each: told[each].with_(entry, state=VersionState.CONFIRMED) for each in displaced}
            return {**after, version_id: this.with_(entry, state=VersionState.SHADOW)}
        case _:
            displaced = _in_state(told, this.policy_id, VersionState.ACTIVE)
            after = {each: told[each].with_(entry, state=VersionState.RETIRED) for each in displaced}
            if entry.kind == EventKind.POLICY_ACTIVATED:
                activated["replaced"] = displaced[0] if displaced else None
                activated |= confirmed if is_new else {}
            return {**after, version_id: this.with_(entry, **activated)}


def _in_state(told: Mapping[str, _Told], policy_id: str, state: VersionState) -> list[str]:
    return [each for each, one in told.items() if one.policy_id == policy_id and one.said["state"] == state]


def _version_flaws(row: Any, told: _Told) -> Iterator[str]:
    document = stored_object(row.document)
    said = {
        "policy_id": row.policy_id,
        "policy_version_id": row.policy_version_id,
        "policy_content_hash": jcs.sha256_hex(document),
        "version": row.version,
        "registered_at": rfc3339(row.registered_at),
        "registered_by": row.registered_by,
        "authors": json.parse(row.authors.encode()),
        "state": row.state,
        "confirmed_at": None if row.confirmed_at is None else rfc3339(row.confirmed_at),
        "confirmed_by": row.confirmed_by,
        "confirmation_hash": row.confirmation_hash,
        "activated_at": None if row.activated_at is None else rfc3339(row.activated_at),
        "activated_by": row.activated_by,
        "replaced": row.replaced,
    }
    different = differing(said, told.said)
    if row.content_hash != told.said["policy_content_hash"]:
        different.append("content_hash")
    if document["policy_id"] != told.policy_id:
        different.append("document.policy_id")
    place = f"the policy {row.policy_id}, version {row.version}"
    if different:
        yield f"{place}: its row says otherwise than entry {told.newest.position} about {', '.join(different)}"
    if row.state != told.said["state"]:
        yield f"{place} is {row.state}; by the ledger it is {told.said['state']}"

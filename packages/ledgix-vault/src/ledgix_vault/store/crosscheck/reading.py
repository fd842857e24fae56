"""How rows and entries are read and compared when neither may be believed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, select

from ledgix.formats import jcs
from ledgix.formats.json import JsonObject
from ledgix_vault.errors import VaultError
from ledgix_vault.policy.errors import PolicyError
from ledgix_vault.store import schema
from ledgix_vault.store.audit import UNREADABLE
from ledgix_vault.store.tenants import stored_object

_E = schema.event

ABOUT_THE_ACTOR = frozenset({"assurance", "acted_as"})
"""How surely a person was known, and in which role they acted: `clearance.facts.shown_by` adds these two."""


@dataclass(frozen=True)
class Entry:
    """A ledger entry as stored; `position` counts from 1, as flaws name it."""

    position: int
    kind: str
    request_id: str
    accepted_at: str
    event_uuid: str
    intent_text: str
    grounds_text: str

    @cached_property
    def intent(self) -> JsonObject:
        return stored_object(self.intent_text)

    @cached_property
    def metadata(self) -> Mapping[str, Any]:
        found: Any = self.intent["action_metadata"]
        return dict(found)

    @property
    def facts(self) -> Mapping[str, Any]:
        """The metadata without what it says about the person who acted: that is about who did it, not about what."""
        return {name: value for name, value in self.metadata.items() if name not in ABOUT_THE_ACTOR}

    @cached_property
    def grounds(self) -> JsonObject:
        return stored_object(self.grounds_text)

    @property
    def decider_id(self) -> str:
        decider: Any = self.intent["decider"]
        return str(decider["id"])


def entries(
    connection: Connection, tenant_id: str, *conditions: Any, order: ColumnElement[int] = _E.c.leaf_index
) -> Iterator[Entry]:
    """The tenant's entries that fulfil the conditions, oldest first."""
    rows = connection.execute(select(_E).where(_E.c.tenant_id == tenant_id, *conditions).order_by(order))
    for row in rows:
        yield Entry(
            position=row.leaf_index + 1,
            kind=row.kind,
            request_id=row.request_id,
            accepted_at=row.accepted_at,
            event_uuid=row.event_uuid,
            intent_text=row.intent,
            grounds_text=row.grounds,
        )


def entries_of_requests(connection: Connection, tenant_id: str, request_ids: Sequence[str]) -> Iterator[Entry]:
    """The tenant's entries about these requests, oldest first. Ordered by an expression: SQLite would rather walk
    through the whole log, page after page, than sort the few that its index finds."""
    return entries(connection, tenant_id, _E.c.request_id.in_(request_ids), order=_E.c.leaf_index + 0)


def entries_of_kinds(connection: Connection, tenant_id: str, kinds: Sequence[str]) -> Iterator[Entry]:
    """The tenant's entries of these kinds, oldest first."""
    return entries(connection, tenant_id, _E.c.kind.in_([str(kind) for kind in kinds]))


def readable(what: str, look: Callable[[], Iterable[str]]) -> Iterator[str]:
    """The flaws that `look` finds; a row that can't even be read is one."""
    try:
        yield from look()
    except (*UNREADABLE, VaultError, PolicyError) as error:
        yield f"{what} can't be read: {type(error).__name__}: {error}"


def differing(said: Mapping[str, Any], recorded: Mapping[str, Any], prefix: str = "") -> list[str]:
    """The members in which two JSON objects differ, by name: `1`, `1.0` and `true` are not the same here."""
    if jcs.canonicalize(dict(said)) == jcs.canonicalize(dict(recorded)):
        return []
    found = []
    for name in sorted({*said, *recorded}):
        ours, theirs = said.get(name), recorded.get(name)
        if isinstance(ours, dict) and isinstance(theirs, dict) and name in ("request", "decision", "token"):
            found += differing(ours, theirs, f"{prefix}{name}.")
        elif (name in said) != (name in recorded) or jcs.canonicalize(ours) != jcs.canonicalize(theirs):
            found.append(prefix + name)
    return found


def rows_by(connection: Connection, table: Table, tenant_id: str, by: str) -> dict[str, Any]:
    """The tenant's rows by a column that names each."""
    found = connection.execute(select(table).where(table.c.tenant_id == tenant_id).order_by(table.c[by]))
    return {str(getattr(row, by)): row for row in found}


def unpaired(what: str, rows: Mapping[str, Any], recorded: Mapping[str, Entry]) -> Iterator[str]:
    """What only the database or only the ledger knows."""
    for name in sorted(rows.keys() - recorded.keys()):
        yield f"the {what} {name!r} is in the database, but no entry of the ledger made it"
    for name in sorted(recorded.keys() - rows.keys()):
        yield f"the {what} {name!r}, made by entry {recorded[name].position}, is missing"

"""What a shadow said, from the ledger: the decisions that were made since it became one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from ledgix.formats.events import EventKind
from ledgix_vault.store import schema
from ledgix_vault.store.tenants import stored_object

_E = schema.event
_DECIDED = (str(EventKind.CLEARANCE_DECIDED), str(EventKind.TOKEN_MINTED))


@dataclass(frozen=True, slots=True)
class Compared:
    """One request: what was decided, and what would have been."""

    request_id: str
    tool_name: str
    accepted_at: str
    decided: str
    shadow: str


def became_shadow_at(connection: Connection, tenant_id: str, version_id: str) -> tuple[int, str] | None:
    """The place in the log of the newest event that made the version a shadow, and its time."""
    newest = (
        select(_E.c.leaf_index, _E.c.accepted_at)
        .where(
            _E.c.tenant_id == tenant_id,
            _E.c.kind == str(EventKind.POLICY_SHADOWED),
            _E.c.intent.contains(_named(version_id), autoescape=True),
        )
        .order_by(_E.c.leaf_index.desc())
        .limit(1)
    )
    row = connection.execute(newest).one_or_none()
    return None if row is None else (row.leaf_index, row.accepted_at)


def compared(connection: Connection, tenant_id: str, version_id: str, after: int, last: int) -> Iterator[Compared]:
    """The newest `last` decisions after a place in the log beside which the version was evaluated, newest first."""
    rows = connection.execute(
        select(_E.c.request_id, _E.c.accepted_at, _E.c.intent)
        .where(
            _E.c.tenant_id == tenant_id,
            _E.c.leaf_index > after,
            _E.c.kind.in_(_DECIDED),
            # The text is in JCS form, so this finds each; what else it finds is left out below.
            _E.c.intent.contains(_named(version_id), autoescape=True),
        )
        .order_by(_E.c.leaf_index.desc())
    )
    left = last
    for row in rows:
        if left == 0:
            return
        intent: Any = stored_object(row.intent)
        for said in intent["action_metadata"].get("shadow", ()):
            if said["policy_version_id"] == version_id:
                left -= 1
                decided = intent["decision"]["outcome"]
                yield Compared(
                    row.request_id, intent["request"]["tool_name"], row.accepted_at, decided, said["outcome"]
                )


def _named(version_id: str) -> str:
    return f'"policy_version_id":"{version_id}"'

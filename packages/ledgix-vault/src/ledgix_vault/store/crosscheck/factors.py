"""People's second factors against the ledgers: a factor that no entry added lets somebody in, one that is gone locks
somebody out.

A factor is a person's, and its entry is in the log of each tenant that the person belonged to then, so all logs are
read together. Not held against them, because no entry speaks of them: names, counters and last uses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, select

from ledgix.formats.events import EventKind
from ledgix_vault.store import schema
from ledgix_vault.store.crosscheck.reading import Entry, entries_of_kinds
from ledgix_vault.tenancy.recovery_codes import codes_digest
from ledgix_vault.times import rfc3339

_KINDS = (
    EventKind.PERSON_FACTOR_ADDED,
    EventKind.PERSON_FACTOR_REMOVED,
    EventKind.PERSON_RECOVERY_CODES_MADE,
    EventKind.PERSON_RECOVERY_CODE_USED,
)


@dataclass(slots=True)
class _Codes:
    """A person's recovery codes as the ledgers tell them."""

    digest: str
    made_at: str
    used: dict[str, str] = field(default_factory=dict)  # SHA-256 of a code's hash → when


@dataclass(slots=True)
class _Recorded:
    """What the ledgers tell: (SHA-256, when) by person and factor, codes by person."""

    apps: dict[str, tuple[str, str]] = field(default_factory=dict)
    passkeys: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    codes: dict[str, _Codes] = field(default_factory=dict)

    def follow(self, entry: Entry) -> None:
        """Takes in the next entry."""
        told = entry.metadata
        person_id = str(told["person_id"])
        match entry.kind:
            case EventKind.PERSON_FACTOR_ADDED if told["factor"] == "app":
                self.apps[person_id] = str(told["sealed_secret_sha256"]), entry.accepted_at
            case EventKind.PERSON_FACTOR_ADDED:
                added = str(told["public_key_sha256"]), entry.accepted_at
                self.passkeys[person_id, str(told["credential_id"])] = added
            case EventKind.PERSON_FACTOR_REMOVED:
                if told["factor"] == "app":
                    self.apps.pop(person_id, None)
                else:
                    self.passkeys.pop((person_id, str(told["credential_id"])), None)
                if not told["left"]:
                    self.codes.pop(person_id, None)
            case EventKind.PERSON_RECOVERY_CODES_MADE:
                self.codes[person_id] = _Codes(str(told["codes_sha256"]), entry.accepted_at)
            case _:
                self.codes[person_id].used[str(told["code_sha256"])] = entry.accepted_at


def factor_flaws(connection: Connection) -> Iterator[str]:
    """Every flaw of people's second factors."""
    recorded = _Recorded()
    tenants = connection.execute(select(schema.tenant.c.tenant_id)).scalars().all()
    told = [entry for tenant_id in tenants for entry in entries_of_kinds(connection, tenant_id, _KINDS)]
    for entry in sorted(told, key=lambda each: each.accepted_at):
        recorded.follow(entry)
    yield from _app_flaws(connection, recorded)
    yield from _passkey_flaws(connection, recorded)
    yield from _code_flaws(connection, recorded)


def _app_flaws(connection: Connection, recorded: _Recorded) -> Iterator[str]:
    table = schema.totp
    rows = connection.execute(select(table).where(table.c.confirmed_at.is_not(None)).order_by(table.c.person_id))
    found = {row.person_id: (sha256(bytes(row.sealed_secret)).hexdigest(), rfc3339(row.confirmed_at)) for row in rows}
    for person_id in sorted(found.keys() | recorded.apps.keys()):
        yield from _differing(f"the app for codes of {person_id}", found.get(person_id), recorded.apps.get(person_id))


def _passkey_flaws(connection: Connection, recorded: _Recorded) -> Iterator[str]:
    table = schema.passkey
    rows = connection.execute(select(table).order_by(table.c.credential_id))
    found = {
        (row.person_id, row.credential_id): (sha256(bytes(row.public_key)).hexdigest(), rfc3339(row.created_at))
        for row in rows
    }
    for key in sorted(found.keys() | recorded.passkeys.keys()):
        yield from _differing(f"the passkey {key[1]} of {key[0]}", found.get(key), recorded.passkeys.get(key))


def _code_flaws(connection: Connection, recorded: _Recorded) -> Iterator[str]:
    table = schema.recovery_code
    found: dict[str, list[Any]] = {}
    for row in connection.execute(select(table)):
        found.setdefault(row.person_id, []).append(row)
    for person_id in sorted(found.keys() | recorded.codes.keys()):
        place, rows, told = f"the recovery codes of {person_id}", found.get(person_id), recorded.codes.get(person_id)
        said = None if rows is None else (codes_digest(bytes(row.code_hash) for row in rows), rfc3339(rows[0].made_at))
        yield from _differing(place, said, None if told is None else (told.digest, told.made_at))
        if rows is not None and told is not None:
            spent = [row for row in rows if row.used_at is not None]
            used = {sha256(bytes(row.code_hash)).hexdigest(): rfc3339(row.used_at) for row in spent}
            if used != told.used:
                yield f"{place}: the rows say otherwise than the ledgers about which were used"


def _differing(place: str, said: tuple[str, str] | None, told: tuple[str, str] | None) -> Iterator[str]:
    if said is None:
        yield f"{place}: missing, though the ledgers have them added"
    elif told is None:
        yield f"{place}: in the database, but no entry of a ledger added them"
    elif said[0] != told[0]:
        yield f"{place}: not the one that the ledgers have"
    elif said[1] != told[1]:
        yield f"{place}: of another time than the ledgers have"

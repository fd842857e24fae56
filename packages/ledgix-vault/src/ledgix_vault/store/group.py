"""One group commit: the units that queued up during the last one, in one transaction.

The order of effects, and what is true if the process dies there:
1. units run          nothing is stored
2. rows are inserted, each log takes its new leaves, tiles and head      nothing is stored (no commit yet)
3. COMMIT             all of it is stored, no caller knows; a retry with its Idempotency-Key gets the same outcome
4. memory follows     trees and tenant states are swapped for the new ones, then the callers are answered
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, Table

from ledgix.formats import receipts, tree
from ledgix.formats.events import Event, SealedEvent
from ledgix.formats.json import Json
from ledgix_vault.jsontext import encode_text
from ledgix_vault.store import schema
from ledgix_vault.store.tenants import load_tenant_state
from ledgix_vault.store.totals import time_key
from ledgix_vault.store.unit import Row, Timed, Unit

if TYPE_CHECKING:
    from ledgix.formats.keys import PrivateKey
    from ledgix_vault.store.engine import Database
    from ledgix_vault.tenancy.api_keys import ApiKey
    from ledgix_vault.tenancy.state import TenantState

ADVANCE_LOG = (
    "UPDATE log SET size = {0}, root = {0}, frontier = {0}, last_accepted_at = {0} WHERE tenant_id = {0} AND size = {0}"
)
NO_ROOT = b""


class LogMoved(Exception):
    """Somebody else wrote to this log: what memory knows of the tree is wrong."""


@dataclass(frozen=True, slots=True)
class LogState:
    """The tree of one tenant's log as far as it is committed."""

    key_id: str
    integrator: tree.Integrator


@dataclass(slots=True)
class Memory:
    """What the writer knows without asking the database. Replaced as a whole after an ambiguous commit."""

    logs: dict[str, LogState] = field(default_factory=dict)
    tenants: dict[str, TenantState] = field(default_factory=dict)
    keys: dict[bytes, ApiKey] = field(default_factory=dict)
    last_moment: int = 0

    def put_tenant(self, state: TenantState) -> None:
        """Replaces what is known of a tenant, its keys included."""
        old = self.tenants.get(state.tenant_id)
        self.tenants[state.tenant_id] = state
        self.keys.update(zip(state.key_hashes, state.keys, strict=True))
        if old is not None:
            for gone in set(old.key_hashes) - set(state.key_hashes):
                del self.keys[gone]


class Group:
    """Collects units and writes them. Lives for one transaction."""

    def __init__(
        self,
        connection: Connection,
        database: Database,
        memory: Memory,
        clock: Callable[[], int],
        ledger_key: Callable[[str], PrivateKey],
    ) -> None:
        self.connection = connection
        self.now = max(clock(), memory.last_moment)
        self._clock = clock
        self._database = database
        self._memory = memory
        self._ledger_key = ledger_key
        self._rows: dict[Table, list[Row]] = defaultdict(list)
        self._events: dict[str, list[SealedEvent]] = defaultdict(list)
        self._logs: dict[str, LogState] = {}
        self._tenants: dict[str, TenantState] = {}
        self._stale: set[str] = set()
        self._totals: Counter[Row] = Counter()
        self._timed: list[Timed] = []

    def absorb(self, unit: Unit) -> None:
        """Takes over what a finished unit staged."""
        unit.keep()
        for table, rows in unit.rows.items():
            self._rows[table].extend(rows)
        for tenant_id, sealed in unit.events:
            self._events[tenant_id].append(sealed)
        for tenant_id, key_id in unit.new_logs.items():
            self._logs[tenant_id] = LogState(key_id, tree.Integrator())
            self._rows[schema.log].append((tenant_id, key_id, 0, NO_ROOT, b"", 0))
        for tenant_id, key_id in unit.log_keys.items():
            current = self._logs.get(tenant_id) or self._memory.logs[tenant_id]
            self._logs[tenant_id] = LogState(key_id, current.integrator)
        self._stale |= unit.changed_tenants
        for key, requests in unit.totals.items():
            self._totals[key] += requests
        self._timed.extend(unit.timed)

    def tenant(self, tenant_id: str) -> TenantState:
        """The tenant's state as this transaction sees it."""
        if tenant_id in self._stale:
            self.write_staged_rows()
            self._tenants[tenant_id] = load_tenant_state(self.connection, tenant_id)
            self._stale.discard(tenant_id)
        return self._tenants.get(tenant_id) or self._memory.tenants[tenant_id]

    def write_staged_rows_of(self, tables: tuple[Table, ...]) -> None:
        """All of them, if there are any of these tables: the order of tables is that of their references."""
        if any(table in self._rows for table in tables):
            self.write_staged_rows()

    def write_staged_rows(self) -> None:
        for table, rows in self._rows.items():
            self._database.insert(self.connection, table, rows)
        self._rows.clear()

    def finish(self) -> None:
        """Everything that has to be in the transaction before COMMIT."""
        self.write_staged_rows()
        for tenant_id, sealed_events in self._events.items():
            self._logs[tenant_id] = self._integrate(tenant_id, sealed_events)
        self.write_staged_rows()
        written_at = self._clock()
        for timed in self._timed:
            self._totals[time_key(timed, written_at)] += 1
        self._database.add(
            self.connection, schema.request_total, [(*key, added) for key, added in self._totals.items() if added]
        )
        for tenant_id in tuple(self._stale):
            self.tenant(tenant_id)

    def publish(self) -> None:
        """Committed: memory follows the database."""
        self._memory.logs.update(self._logs)
        for state in self._tenants.values():
            self._memory.put_tenant(state)
        self._memory.last_moment = self.now

    def grown(self) -> dict[str, set[str]]:
        """The tenants whose logs took new events, and the requests that these are about."""
        return {
            tenant_id: {str(sealed.event.intent["request_id"]) for sealed in sealed_events}
            for tenant_id, sealed_events in self._events.items()
        }

    def _integrate(self, tenant_id: str, sealed_events: list[SealedEvent]) -> LogState:
        log = self._logs.get(tenant_id) or self._memory.logs[tenant_id]
        key = self._ledger_key(log.key_id)
        integrator = log.integrator.copy()
        old_size = integrator.size
        for sealed in sealed_events:
            self._rows[schema.event].append(_event_row(tenant_id, integrator, sealed, key))
        for full in integrator.take_tiles():
            self._rows[schema.tile].append((tenant_id, full.level, full.index, full.data))
        advanced = self.connection.exec_driver_sql(
            ADVANCE_LOG.format(self._database.mark),
            (integrator.size, integrator.root(), integrator.frontier, self.now, tenant_id, old_size),
        )
        if advanced.rowcount != 1:
            raise LogMoved(tenant_id)
        return LogState(log.key_id, integrator)


def _event_row(tenant_id: str, integrator: tree.Integrator, sealed: SealedEvent, key: PrivateKey) -> Row:
    event = sealed.event
    leaf = tree.leaf_hash(sealed.event_hash)
    leaf_index = integrator.size
    integrator.append(leaf)
    request_id = str(event.intent["request_id"])
    receipt = receipts.sign(
        event_hash=sealed.event_hash,
        leaf_hash=leaf,
        event_uuid=event.event_uuid,
        request_id=request_id,
        accepted_at=event.accepted_at,
        key=key,
    )
    return (
        tenant_id,
        leaf_index,
        event.event_uuid,
        request_id,
        str(event.intent["kind"]),
        event.accepted_at,
        _grounds(event),
        sealed.intent_json.decode(),
        sealed.event_hash,
        receipt.key_id,
        receipt.signature,
    )


def _grounds(event: Event) -> str:
    citations, chunks = cast(Json, event.citations), cast(Json, event.evidence_chunks)
    return encode_text({"citations": citations, "evidence_chunks": chunks, "reason": event.reason})

"""A unit of work: what one operation does inside the writer's transaction.

Invariants
- A unit either takes effect as a whole or leaves nothing: its rows and events are staged and only joined to the group
  when it returns; statements that it runs itself stand behind a savepoint.
- A unit sees everything that earlier units of the same group did.
- Time inside a unit is the group's: it never runs backwards.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Connection, CursorResult, Executable, NestedTransaction, Table

from ledgix.formats.events import Event, SealedEvent, SealedIntent, seal
from ledgix_vault.times import rfc3339

if TYPE_CHECKING:
    from ledgix_vault.store.group import Group
    from ledgix_vault.tenancy.state import TenantState

Row = tuple[Any, ...]


class CannotUndo(Exception):
    """A unit failed after its last write: the group's transaction can't be kept."""


class Timed(NamedTuple):
    """A decision whose time runs `since` (µs), and the hour in which it was asked for. One is made for each guarded
    call: a tuple costs a fifth of a frozen dataclass."""

    tenant_id: str
    hour: int
    decided_by: str
    since: int


class Unit:
    """The hands of one operation in the transaction. Not thread-safe: it lives in the writer's thread."""

    __slots__ = (
        *("_group", "_savepoint", "_wrote_last", "changed_tenants", "events", "log_keys", "new_logs", "rows"),
        *("timed", "totals"),
    )

    def __init__(self, group: Group) -> None:
        self._group = group
        self._savepoint: NestedTransaction | None = None
        self._wrote_last = 0
        self.rows: dict[Table, list[Row]] = defaultdict(list)
        self.events: list[tuple[str, SealedEvent]] = []
        self.new_logs: dict[str, str] = {}
        self.log_keys: dict[str, str] = {}
        self.changed_tenants: set[str] = set()
        self.totals: Counter[Row] = Counter()
        self.timed: list[Timed] = []

    @property
    def now(self) -> int:
        """The transaction's moment, in microseconds since the Unix epoch."""
        return self._group.now

    @property
    def accepted_at(self) -> str:
        """`now` as the ledger writes it."""
        return rfc3339(self._group.now)

    def insert(self, table: Table, row: Row) -> None:
        """Stages a whole row, its values in the order of the table's columns."""
        self.rows[table].append(row)

    def count(self, key: Row, requests: int) -> None:
        """Adds so many requests to a total: the row of `request_total` with this key."""
        self.totals[key] += requests

    def time(self, timed: Timed) -> None:
        """Counts a decision by how long it took until the group was written."""
        self.timed.append(timed)

    def append(self, tenant_id: str, event: Event, intent: SealedIntent | None = None) -> SealedEvent:
        """Stages an event of the tenant's log; it gets its place in the tree when the group is written.

        `intent` is the event's own, if it was sealed before.
        """
        sealed = seal(event, intent)
        self.events.append((tenant_id, sealed))
        return sealed

    def open_log(self, tenant_id: str, key_id: str) -> None:
        """Starts the empty log of a new tenant, signed by the ledger key `key_id`."""
        self.new_logs[tenant_id] = key_id

    def continue_log(self, tenant_id: str, key_id: str) -> None:
        """From this unit on the tenant's log is signed by the ledger key `key_id`."""
        self.log_keys[tenant_id] = key_id

    def read(self, statement: Executable, parameters: dict[str, Any] | None = None) -> CursorResult[Any]:
        """Runs a query that sees what earlier units did (not this unit's staged rows)."""
        self._group.write_staged_rows()
        return self._group.connection.execute(statement, parameters)

    def write(self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]] | None = None) -> int:
        """Runs an UPDATE or DELETE, or an INSERT that this unit must see itself, behind its savepoint; the number of
        rows that it touched."""
        return self._execute(statement, parameters).rowcount

    def write_last(self, statement: Executable, parameters: dict[str, Any]) -> int:
        """Like `write`, without the savepoint that costs more than the statement: for a unit that writes nothing else
        and fails only if no row was touched. If it fails all the same, its whole group starts over. Doesn't see what
        earlier units staged: find the row with `seeing`."""
        assert self._savepoint is None
        self._wrote_last = self._group.connection.execute(statement, parameters).rowcount
        return self._wrote_last

    def write_returning(self, statement: Executable) -> list[Any]:
        """Runs an UPDATE … RETURNING behind this unit's savepoint; the rows it returns."""
        return list(self._execute(statement, None).all())

    def _execute(
        self, statement: Executable, parameters: dict[str, Any] | list[dict[str, Any]] | None
    ) -> CursorResult[Any]:
        self._group.write_staged_rows()
        if self._savepoint is None:
            self._savepoint = self._group.connection.begin_nested()
        return self._group.connection.execute(statement, parameters)

    def tenant(self, tenant_id: str) -> TenantState:
        """The tenant's state as of now: its keys, settings and policy snapshot."""
        return self._group.tenant(tenant_id)

    def tenant_changed(self, tenant_id: str) -> None:
        """To be called by a unit that changes what `tenant` answers."""
        self.changed_tenants.add(tenant_id)

    def seeing(self, *tables: Table) -> Connection:
        """For loaders in `store/` that look into these tables only; rows of others may still be staged."""
        self._group.write_staged_rows_of(tables)
        return self._group.connection

    @property
    def connection(self) -> Connection:
        """For loaders in `store/` that take a connection."""
        self._group.write_staged_rows()
        return self._group.connection

    def keep(self) -> None:
        if self._savepoint is not None:
            self._savepoint.commit()

    def undo(self) -> None:
        """Leaves nothing of the unit; raises `CannotUndo` after a `write_last` that touched a row."""
        if self._wrote_last:
            raise CannotUndo
        if self._savepoint is not None:
            self._savepoint.rollback()

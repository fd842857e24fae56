"""Checking everything: each ledger derived anew, each row held against it, and what lies outside of the database.

Nothing is written and nothing needs to stop: the high-water cells are read first, then one state of the database, which
must contain them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from ledgix_vault.errors import StartRefused
from ledgix_vault.store.audit import audit_log
from ledgix_vault.store.crosscheck.clearances import clearance_flaws
from ledgix_vault.store.crosscheck.documents import document_flaws
from ledgix_vault.store.crosscheck.factors import factor_flaws
from ledgix_vault.store.crosscheck.limits import limit_flaws
from ledgix_vault.store.crosscheck.logs import log_flaws, whole_flaws
from ledgix_vault.store.crosscheck.reading import readable
from ledgix_vault.store.crosscheck.tenants import key_lineages, tenant_flaws
from ledgix_vault.store.crosscheck.totals import total_flaws
from ledgix_vault.store.engine import Connection, DatabaseError
from ledgix_vault.store.high_water import Cell
from ledgix_vault.store.read_only import structural_flaws
from ledgix_vault.store.signing_keys import load_signing_keys
from ledgix_vault.store.tenants import tenant_names

MOST_FLAWS = 50
"""For each tenant: who knows fifty knows enough."""

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class CheckedTenant:
    """What was verified of one tenant."""

    tenant_id: str
    name: str
    entries: int
    checkpoints: int
    flaws: tuple[str, ...]


@dataclass(slots=True)
class CheckReport:
    """What was verified. `flaws` are those of no tenant in particular."""

    tenants: list[CheckedTenant] = field(default_factory=list)
    flaws: list[str] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        return not self.flaws and not any(tenant.flaws for tenant in self.tenants)


def check_vault(
    connection: Connection,
    cells: Sequence[Cell],
    open_keys: Callable[[Sequence[str]], object],
    progress: Progress = lambda _tenant, _entries: None,
) -> CheckReport:
    """Checks all that `connection` sees. `cells` were read before; `open_keys` opens the private keys with these ids
    and raises `StartRefused` for one that it can't. Never raises for a flaw."""
    report = CheckReport()
    report.flaws += _found(partial(_database_flaws, connection, cells))
    report.flaws += _found(partial(_private_key_flaws, connection, open_keys))
    for tenant_id, name in tenant_names(connection):
        report.tenants.append(_check_tenant(connection, cells, tenant_id, name, progress))
    return report


def _check_tenant(
    connection: Connection, cells: Sequence[Cell], tenant_id: str, name: str, progress: Progress
) -> CheckedTenant:
    counts = [0, 0]

    def ledger_flaws() -> Iterator[str]:
        audit = audit_log(connection, tenant_id, progress=partial(progress, name))
        counts[:] = audit.entries, audit.checkpoints
        if audit.flaw is not None:
            yield audit.flaw

    def row_flaws() -> Iterator[str]:
        yield from clearance_flaws(connection, tenant_id, key_lineages(connection, tenant_id))
        yield from total_flaws(connection, tenant_id)
        yield from limit_flaws(connection, tenant_id)

    flaws = [
        *_found(ledger_flaws),
        *_found(partial(log_flaws, connection, tenant_id, cells)),
        *_found(partial(tenant_flaws, connection, tenant_id)),
        *_found(partial(document_flaws, connection, tenant_id)),
        *_found(row_flaws),
    ]
    return CheckedTenant(tenant_id, name, counts[0], counts[1], tuple(flaws))


def _found(look: Callable[[], Iterable[str]]) -> list[str]:
    """The first flaws, in words; that the database can't answer is one."""
    try:
        found = list(islice(readable("a row", look), MOST_FLAWS + 1))
    except DatabaseError as error:
        return [f"the database can't be read here: {getattr(error, 'orig', None) or error}"]
    return [*found[:MOST_FLAWS], "…and more"] if len(found) > MOST_FLAWS else found


def _database_flaws(connection: Connection, cells: Sequence[Cell]) -> Iterator[str]:
    for flaw in structural_flaws(connection):
        yield f"SQLite says: {flaw}"
    yield from whole_flaws(connection, cells)
    yield from readable("second factors", partial(factor_flaws, connection))


def _private_key_flaws(connection: Connection, open_keys: Callable[[Sequence[str]], object]) -> Iterator[str]:
    """Keys in use: a retired one signs nothing any more, and its file may be gone."""
    kids = [key.public.kid for key in load_signing_keys(connection) if key.retired_at is None]
    try:
        open_keys(kids)
    except StartRefused:
        for kid in kids:
            try:
                open_keys([kid])
            except StartRefused as refusal:
                yield refusal.detail

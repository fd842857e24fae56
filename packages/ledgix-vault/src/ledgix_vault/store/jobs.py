"""Jobs: slow or later work, written in the transaction that causes it, done at least once under a lease.

A job is claimed by one statement on both engines: whoever raises `leased_until` has it until then. A worker that dies
leaves a lease that runs out; the job is then done again, so every job must be harmless when repeated.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, Connection, delete, select, tuple_, update

from ledgix_vault.ids import new_id
from ledgix_vault.store import schema
from ledgix_vault.store.unit import Row, Unit
from ledgix_vault.times import MICROSECONDS

LEASE_SECONDS = 30
MOST_AT_ONCE = 64

_J = schema.job


class JobKind(StrEnum):
    """What there is to do later."""

    EXPIRE_REVIEW = "expire_review"
    ESCALATE_REVIEW = "escalate_review"
    JUDGE = "judge"
    NOTIFY = "notify"
    REMIND_REVIEW = "remind_review"


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job. `subject` is what it is about (a request or notification id)."""

    tenant_id: str
    job_id: str
    kind: JobKind
    subject: str
    attempts: int


def job_row(tenant_id: str, kind: JobKind, subject: str, due_at: int) -> Row:
    """The row of a new job, due at `due_at` (µs)."""
    return (tenant_id, new_id(), str(kind), subject, due_at, 0, 0)


def claim_jobs(unit: Unit, kinds: Collection[JobKind], most: int = MOST_AT_ONCE) -> list[Job]:
    """Takes due jobs of these kinds, of all tenants, under a lease of 30 seconds."""
    due = (
        select(_J.c.tenant_id, _J.c.job_id)
        .where(*_due(unit.now, kinds))
        .order_by(_J.c.due_at)
        .limit(most)
        .with_for_update(skip_locked=True)  # SQLite has one writer and leaves this out
    )
    claimed = unit.write_returning(
        update(_J)
        .where(tuple_(_J.c.tenant_id, _J.c.job_id).in_(due))
        .values(leased_until=unit.now + LEASE_SECONDS * MICROSECONDS, attempts=_J.c.attempts + 1)
        .returning(_J.c.tenant_id, _J.c.job_id, _J.c.kind, _J.c.subject, _J.c.attempts)
    )
    return [Job(row.tenant_id, row.job_id, JobKind(row.kind), row.subject, row.attempts) for row in claimed]


def has_due_jobs(connection: Connection, now: int, kinds: Collection[JobKind]) -> bool:
    """Whether there is anything to claim: a read, for whoever looks more often than there is work."""
    return connection.execute(select(_J.c.job_id).where(*_due(now, kinds)).limit(1)).first() is not None


def _due(now: int, kinds: Collection[JobKind]) -> list[ColumnElement[bool]]:
    return [_J.c.due_at <= now, _J.c.leased_until <= now, _J.c.kind.in_([str(kind) for kind in kinds])]


def give_back_job(unit: Unit, job: Job) -> None:
    """Ends the lease of a job that has to be done again."""
    unit.write(update(_J).where(_J.c.tenant_id == job.tenant_id, _J.c.job_id == job.job_id).values(leased_until=0))


def finish_job(unit: Unit, job: Job) -> None:
    """Deletes a job in the transaction that did it."""
    unit.write(delete(_J).where(_J.c.tenant_id == job.tenant_id, _J.c.job_id == job.job_id))

"""Doing what is due: jobs are claimed under a lease and done at least once."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import assert_never

from ledgix_vault.operations.steps.current import escalate, expire_if_due
from ledgix_vault.operations.steps.notices import fan_out, remind_of_review
from ledgix_vault.store.clearances import find_clearance
from ledgix_vault.store.idempotency import forget_before
from ledgix_vault.store.jobs import Job, JobKind, claim_jobs, finish_job
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.vault import Vault

QUICK = frozenset(JobKind) - {JobKind.JUDGE}
"""Kinds that are done within one transaction; a judge takes its time outside of any (`judge_requests`)."""


async def run_due_jobs(vault: Vault) -> int:
    """Claims due jobs, does each as a unit of its own; how many were claimed.

    One that fails keeps its lease, and doesn't hold up the others; the first failure is raised when all had their turn.
    """
    jobs: list[Job] = await vault.store.run(lambda unit: Stored(claim_jobs(unit, QUICK)))
    done = await asyncio.gather(*(vault.store.run(partial(_do, job)) for job in jobs), return_exceptions=True)
    for failure in done:
        if isinstance(failure, BaseException):
            raise failure
    return len(jobs)


async def forget_old_keys(vault: Vault) -> int:
    """Forgets idempotency keys older than the setting; how many."""
    age = vault.settings.idempotency_hours * 3600 * MICROSECONDS
    forgotten: int = await vault.store.run(lambda unit: Stored(forget_before(unit.connection, unit.now - age)))
    return forgotten


def _do(job: Job, unit: Unit) -> Stored[None]:
    match job.kind:
        case JobKind.EXPIRE_REVIEW:
            clearance = find_clearance(unit.connection, job.tenant_id, job.subject)
            if clearance is not None:
                expire_if_due(unit, clearance)
        case JobKind.ESCALATE_REVIEW:
            clearance = find_clearance(unit.connection, job.tenant_id, job.subject)
            if clearance is not None:
                escalate(unit, clearance)
        case JobKind.REMIND_REVIEW:
            clearance = find_clearance(unit.connection, job.tenant_id, job.subject)
            if clearance is not None:
                remind_of_review(unit, clearance)
        case JobKind.NOTIFY:
            fan_out(unit, job.tenant_id, job.subject)
        case JobKind.JUDGE:
            raise AssertionError("judgements are not claimed here")
        case _:
            assert_never(job.kind)
    finish_job(unit, job)
    return Stored(None)

"""Judging what awaits its judge: claimed under a lease, asked outside of any transaction, settled by compare-and-swap.

What was asked counts only if the same would be asked now: policies, settings and suspensions are looked at again inside
the transaction that settles. If they moved, the new decision counts, or the new question is put. A worker that dies
leaves a lease that runs out; then the question is put again, and nobody has seen an answer to the first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from ledgix.formats.events import EventKind
from ledgix_vault.clearance.clearance import Clearance, TokenFacts
from ledgix_vault.clearance.decision import Decider, DeciderType, Decision, Outcome
from ledgix_vault.clearance.judging import (
    Judgement,
    Question,
    call_text,
    judged,
    left_to_a_person,
    obstacle_to_approval,
)
from ledgix_vault.errors import Unavailable
from ledgix_vault.ids import new_id
from ledgix_vault.judge.ask import Model, ask_judge
from ledgix_vault.keys.sealing import SealBroken
from ledgix_vault.operations.steps.evaluate import decide, evaluate_again
from ledgix_vault.operations.steps.excerpts import excerpts_for
from ledgix_vault.operations.steps.judges import judge_key_place
from ledgix_vault.operations.steps.record import open_review, record_move
from ledgix_vault.policy.open_text import find_open_text
from ledgix_vault.store.clearances import find_clearance
from ledgix_vault.store.jobs import Job, JobKind, claim_jobs, finish_job, give_back_job, has_due_jobs
from ledgix_vault.store.totals import count_judged
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.judge_settings import JudgeSettings
from ledgix_vault.times import MICROSECONDS
from ledgix_vault.vault import Vault

MOST_ATTEMPTS = 3
JUDGES = (JobKind.JUDGE,)


@dataclass(frozen=True, slots=True)
class _Case:
    """What a judge is asked about one request, and what its yes would be worth."""

    question: Question
    settings: JudgeSettings
    obstacle: str


async def claim_judgements(vault: Vault, most: int) -> list[Job]:
    """Takes up to `most` requests that await their judge. Writes nothing while there are none."""
    now = vault.clock()
    if not await vault.store.read(partial(has_due_jobs, now=now, kinds=JUDGES)):
        return []
    jobs: list[Job] = await vault.store.run(lambda unit: Stored(claim_jobs(unit, JUDGES, most)))
    return jobs


async def judge_request(vault: Vault, job: Job) -> None:
    """Asks the judge about one request and settles it: denied, approved, or with a review that a person decides.

    Durable on return. Harmless when repeated: a request that doesn't await its judge any more is left as it is.
    """
    case: _Case | None = await vault.store.run(partial(_prepare, vault, job))
    if case is None:
        return
    judge = case.settings
    api_key = _opened(vault, job.tenant_id, judge.sealed_key)
    model = Model(
        judge.provider, judge.base_url, judge.model, vault.settings.judge_deadline, vault.settings.trusted_judge_hosts
    )
    judgement = await ask_judge(model, api_key, case.question)
    # Nothing of it is stored yet: whoever dies here leaves the lease, and the question is put again.
    await vault.store.run(partial(_settle, vault, job, case, judgement))


def _opened(vault: Vault, tenant_id: str, sealed_key: bytes) -> str:
    if not sealed_key:
        return ""
    try:
        return vault.keys.seal.open(sealed_key, judge_key_place(tenant_id))
    except SealBroken as error:
        raise Unavailable(
            "The stored key of the judge's server can't be opened with this Vault's keys; set it again.",
            code="judge_key_sealed",
        ) from error


def _prepare(vault: Vault, job: Job, unit: Unit) -> Stored[_Case | None]:
    clearance = _awaiting(unit, job)
    if clearance is None:
        return Stored(None)
    decision = _decide(vault, clearance, unit)
    if job.attempts > MOST_ATTEMPTS:
        _end(vault, job, clearance, _given_up(decision, f"The judge failed {MOST_ATTEMPTS} times."), unit)
        return Stored(None)
    case = _case(clearance, unit) if decision.awaits_judge else None
    if case is None:
        _end(vault, job, clearance, _given_up(decision, "The judge can't be shown all of the policy's text."), unit)
    return Stored(case)


def _settle(vault: Vault, job: Job, case: _Case, judgement: Judgement, unit: Unit) -> Stored[None]:
    clearance = _awaiting(unit, job)
    if clearance is None:
        return Stored(None)
    decision = _decide(vault, clearance, unit)
    if decision.awaits_judge:
        if _case(clearance, unit) != case:
            give_back_job(unit, job)  # the world moved: this answer is to a question that nobody would put now
            return Stored(None)
        decision = judged(decision, judgement, Decider(DeciderType.JUDGE, case.settings.model), case.obstacle)
    _end(vault, job, clearance, decision, unit)
    return Stored(None)


def _awaiting(unit: Unit, job: Job) -> Clearance | None:
    """The request, if it still awaits its judge; else the job is over."""
    clearance = find_clearance(unit.connection, job.tenant_id, job.subject)
    if clearance is not None and clearance.decision.awaits_judge:
        return clearance
    finish_job(unit, job)
    return None


def _decide(vault: Vault, clearance: Clearance, unit: Unit) -> Decision:
    decision, _ = decide(
        unit,
        clearance.tenant_id,
        clearance.request,
        vault.settings.delegation_window,
        besides=clearance.request_id,
    )
    return replace(decision, shadow=())  # the first decision has told what shadows would have said


def _given_up(decision: Decision, why: str) -> Decision:
    return left_to_a_person(decision, why) if decision.awaits_judge else decision


def _case(clearance: Clearance, unit: Unit) -> _Case | None:
    """What to ask as of now; None when not all of it can be shown."""
    state = unit.tenant(clearance.tenant_id)
    open_text = find_open_text(evaluate_again(unit, clearance, None)[0], state.judge.may)
    assert open_text is not None  # else the decision wouldn't await a judge
    excerpts = excerpts_for(unit, clearance.tenant_id, clearance.request, open_text)
    obstacle = obstacle_to_approval(open_text, state.settings)
    question = Question(call_text(clearance.request), excerpts or (), open_text.times, may_approve=not obstacle)
    return _Case(question, state.judge, obstacle) if excerpts is not None and question.fits else None


def _end(vault: Vault, job: Job, clearance: Clearance, decision: Decision, unit: Unit) -> None:
    settings = unit.tenant(clearance.tenant_id).settings
    later = unit.now + settings.review_expiry_seconds * MICROSECONDS
    settled = replace(
        clearance,
        decision=decision,
        # iat and exp are fixed when the asker fetches it, as after a review.
        token=TokenFacts(new_id(), vault.token_key, pick_up_until=later)
        if decision.outcome is Outcome.APPROVED
        else None,
        review_expires_at=later if decision.needs_person else None,
    )
    record_move(unit, clearance, settled, EventKind.CLEARANCE_DECIDED, decision.decider)
    count_judged(unit, clearance)
    if decision.needs_person:
        open_review(unit, settled, settings)
    finish_job(unit, job)

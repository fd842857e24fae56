"""Limits inside the transaction: what a call would take of its budgets, and taking, spending and giving it back.

Everything that decides happens in the one transaction, on budgets whose rows it holds: two requests at the edge see
each other, in one group and in different ones. What is taken follows from the findings that the decision records.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from ledgix.formats.confidence import ConfidenceBucket
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance
from ledgix_vault.clearance.decision import LOW_CONFIDENCE, Decision, Outcome, reaches
from ledgix_vault.limits.demands import Demand, demands
from ledgix_vault.limits.findings import Finding, Result, becomes_low, combined, found, freed, takes, unknown
from ledgix_vault.notices.kinds import NoticeKind
from ledgix_vault.operations.steps.notices import budget_facts, notify
from ledgix_vault.policy.call import Call
from ledgix_vault.policy.cel.inputs import EXACT
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot
from ledgix_vault.store.limits import (
    UseState,
    give_back,
    lock_budget,
    mark_spent,
    room_again_at,
    share_of,
    take,
    withdraw,
)
from ledgix_vault.store.unit import Unit


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found about every limit that applies, and what had to be assumed for it."""

    found: tuple[Finding, ...] = ()
    assumed: tuple[str, ...] = ()


def look_at_limits(unit: Unit, tenant_id: str, call: Call, *, besides: str = "") -> Findings:
    """Holds a call against every limit that applies to it; its budgets stay locked until the transaction ends. What the
    request `besides` took itself doesn't count."""
    return find_limits(
        unit.tenant(tenant_id).snapshot,
        call,
        lambda demand: _used(unit, tenant_id, demand, besides),
        lambda demand, used: room_again_at(unit.connection, tenant_id, demand, used, unit.now),
    )


def find_limits(
    snapshot: Snapshot,
    call: Call,
    used: Callable[[Demand], Decimal],
    room_again: Callable[[Demand, Decimal], int | None] = lambda _, __: None,
) -> Findings:
    """Holds a call against every limit that applies to it. `used` says what a demanded budget holds already,
    `room_again` when (µs) an exceeded one has room for it again, if that is known."""
    policies = _limited(snapshot, call)
    if not policies:
        return Findings()
    asked, assumed = demands(policies, call, snapshot.coverage(call.tool_name).money)
    wanted = [each for each in asked if isinstance(each, Demand)]
    # Always in the same order: locks never cross.
    held = {demand.key.id: used(demand) for demand in sorted(wanted, key=lambda demand: demand.key.id)}
    return Findings(
        tuple(
            _finding(each, held[each.key.id], room_again) if isinstance(each, Demand) else unknown(each)
            for each in asked
        ),
        assumed,
    )


def within_limits(unit: Unit, tenant_id: str, call: Call, decision: Decision, *, besides: str = "") -> Decision:
    """The decision with what the limits say of it. What is denied already takes nothing and asks none; a limit that
    isn't kept to is no judge's business."""
    if decision.outcome not in (Outcome.APPROVED, Outcome.PENDING):
        return decision
    looked = look_at_limits(unit, tenant_id, call, besides=besides)
    return bounded(unit.tenant(tenant_id).snapshot, decision, looked)


def bounded(snapshot: Snapshot, decision: Decision, looked: Findings) -> Decision:
    """The decision with what was found about the limits that apply to it."""
    if not looked.found:
        return decision
    decision = _with_assumptions(replace(decision, limits=looked.found), looked.assumed)
    effect, decisive = combined(looked.found)
    if effect is Effect.APPROVE:
        return decision
    decision = replace(decision, shadow=())  # shadows are asked about rules; what the limits say stands above those
    policy = snapshot.policy(decisive[0].policy_id)
    assert policy is not None
    return _denied(decision, decisive, policy) if effect is Effect.DENY else _sent_to_review(decision, decisive, policy)


def hold(unit: Unit, clearance: Clearance) -> None:
    """Takes what the decision's findings say: spent if the token is handed out with the answer, else reserved until the
    review's deadline, or the time to fetch the token, has passed."""
    decision, token = clearance.decision, clearance.token
    if not decision.limits or decision.outcome not in (Outcome.APPROVED, Outcome.PENDING):
        return
    spent = token is not None and token.handed_out
    deadline = clearance.review_expires_at if token is None else token.pick_up_until
    take(
        unit,
        clearance.tenant_id,
        clearance.request_id,
        takes(decision.limits),
        state=UseState.SPENT if spent else UseState.RESERVED,
        lapses_at=None if spent else deadline,
    )
    for finding in filter(becomes_low, decision.limits):
        notify(unit, clearance.tenant_id, NoticeKind.BUDGET_LOW, budget_facts(clearance, finding))


def follow(unit: Unit, before: Clearance, after: Clearance) -> None:
    """Budgets follow a clearance's move: an approval, or a review after a judge, takes what was found for it in place
    of what the pending request had reserved; every other end gives back what isn't spent."""
    if not (before.decision.limits or after.decision.limits):
        return
    if after.decision.outcome in (Outcome.APPROVED, Outcome.PENDING):
        withdraw(unit, after.tenant_id, after.request_id)
        hold(unit, after)
    else:
        give_back(unit, after.tenant_id, after.request_id, [UseState.RESERVED])


def spend(unit: Unit, clearance: Clearance) -> None:
    """The token is handed out for the first time: from here on expiry gives nothing back."""
    if clearance.decision.limits:
        mark_spent(unit, clearance.tenant_id, clearance.request_id)


def refund(unit: Unit, clearance: Clearance) -> None:
    """The call was refused by whoever received it: it took nothing after all."""
    if clearance.decision.limits:
        give_back(unit, clearance.tenant_id, clearance.request_id, [UseState.RESERVED, UseState.SPENT])


def _limited(snapshot: Snapshot, call: Call) -> list[ActivePolicy]:
    """The policies with limits that have a say, those that a delegation brings included, by policy id."""
    known = {plan.policy.document.policy_id: plan.policy for plan in snapshot.coverage(call.tool_name).plans}
    for policy_id in call.extra_policy_ids:
        if (policy := snapshot.policy(policy_id)) is not None:
            known[policy_id] = policy
    return [known[policy_id] for policy_id in sorted(known) if known[policy_id].document.limits]


def _used(unit: Unit, tenant_id: str, demand: Demand, besides: str) -> Decimal:
    budget = lock_budget(unit, tenant_id, demand)
    own = share_of(unit.connection, tenant_id, besides, demand.key.id, budget.since)
    return EXACT.subtract(budget.total, own)


def _finding(demand: Demand, used: Decimal, room_again: Callable[[Demand, Decimal], int | None]) -> Finding:
    finding = found(demand, used)
    return freed(finding, room_again(demand, used)) if finding.result is Result.EXCEEDED else finding


def _with_assumptions(decision: Decision, assumed: Sequence[str]) -> Decision:
    """What was assumed for a sum counts like what was assumed for a rule (architecture, "Confidence buckets")."""
    if not assumed:
        return decision
    decision = replace(decision, assumptions=tuple(dict.fromkeys((*decision.assumptions, *assumed))))
    if decision.confidence_bucket is not ConfidenceBucket.EXTRA_HIGH:
        return decision
    decision = replace(decision, confidence_bucket=ConfidenceBucket.HIGH)
    if decision.outcome is not Outcome.APPROVED or reaches(
        decision.confidence_bucket, decision.minimum_confidence_bucket
    ):
        return decision
    return replace(
        decision,
        outcome=Outcome.PENDING,
        reason_code=LOW_CONFIDENCE,
        reason=f"{decision.reason} A limit rests on an assumption, and this tenant wants to be surer than that.",
    )


def _denied(decision: Decision, decisive: Sequence[Finding], policy: ActivePolicy) -> Decision:
    return replace(
        _by(decision, decisive, policy),
        outcome=Outcome.DENIED,
        awaits_judge=False,
        reason=f"Denied: {_sentences(decisive)}.",
        reason_code=decisive[0].reason_code,
    )


def _sent_to_review(decision: Decision, decisive: Sequence[Finding], policy: ActivePolicy) -> Decision:
    exceeded = [each for each in decisive if each.result is Result.EXCEEDED]
    reason = f"A person must decide: {_sentences(decisive)}."
    is_pending = decision.outcome is Outcome.PENDING
    decision = decision if is_pending else _by(decision, decisive, policy)
    bucket = decision.confidence_bucket
    return replace(
        decision,
        outcome=Outcome.PENDING,
        awaits_judge=False,
        reason=f"{decision.reason} {reason}" if is_pending else reason,
        reason_code=decision.reason_code or (exceeded[0].reason_code if exceeded else None),
        confidence_bucket=bucket if len(exceeded) == len(decisive) else _at_most_low(bucket),
    )


def _at_most_low(bucket: ConfidenceBucket) -> ConfidenceBucket:
    return ConfidenceBucket.LOW if reaches(bucket, ConfidenceBucket.LOW) else bucket


def _by(decision: Decision, decisive: Sequence[Finding], policy: ActivePolicy) -> Decision:
    """The same, reported as the decision of the policy whose limit decides, with the limits cited."""
    document = policy.document
    cited: list[JsonObject] = [
        {
            "policy_id": document.policy_id,
            "policy_version_id": policy.version_id,
            "document": "",
            "section": "",
            "quote": _quote(policy, finding),
            "rule_id": finding.limit_id,
        }
        for finding in decisive
        if finding.policy_id == document.policy_id
    ]
    same = decision.policy_id == document.policy_id
    return replace(
        decision,
        policy_id=document.policy_id,
        policy_version_id=policy.version_id,
        policy_content_hash=document.content_hash,
        matched_rule_ids=decision.matched_rule_ids if same else (),
        action_category=document.action_category,
        citations=tuple(cited),
    )


def _quote(policy: ActivePolicy, finding: Finding) -> str:
    source = next((limit.source for limit in policy.document.limits if limit.id == finding.limit_id), "")
    return source or f"at most {finding.maximum} {finding.unit}".rstrip() + f", window {finding.window}"


def _sentences(findings: Sequence[Finding]) -> str:
    return "; ".join(finding.sentence for finding in findings)

"""Deciding a review inside the transaction: approve, deny, or the asker's own cancel. One conditional update settles
every race."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec.structs import replace

from ledgix.formats import jcs
from ledgix.formats.events import EventKind
from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.clearance import Clearance, TokenFacts
from ledgix_vault.clearance.decision import DeciderType, Outcome, decider_of
from ledgix_vault.clearance.request import CHANGED_ARGS
from ledgix_vault.errors import Conflict, Forbidden, Invalid, NotFound, VaultError
from ledgix_vault.ids import new_id
from ledgix_vault.limits.findings import Finding, combined
from ledgix_vault.operations.steps.current import expire_if_due
from ledgix_vault.operations.steps.evaluate import evaluate_again
from ledgix_vault.operations.steps.record import record_event, record_move
from ledgix_vault.operations.steps.reviews import names_of, parties_of
from ledgix_vault.policy.model import Effect
from ledgix_vault.reviews.review import APPROVED_WITHOUT_REASON, Review, ReviewStatus, Vote
from ledgix_vault.store import schema
from ledgix_vault.store.clearances import end_review, find_clearance, find_review, vote_row
from ledgix_vault.store.people import find_member
from ledgix_vault.store.unit import Unit
from ledgix_vault.store.writer import Outcome as Stored
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.people import ROLE_SCOPES
from ledgix_vault.tenancy.scopes import Scope
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.tenancy.state import TenantState
from ledgix_vault.times import MICROSECONDS, rfc3339
from ledgix_vault.vault import Vault

REASON_MISSING = "is required here: say why, for the agent and for the ledger"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the caller says of the request. `effective_args` changes the arguments that may run."""

    approved: bool
    reason: str
    effective_args: JsonObject | None = None

    @property
    def said_why(self) -> bool:
        """Whether there is a reason at all."""
        return bool(self.reason.strip())


def settle_review(
    vault: Vault, caller: Caller, request_id: str, verdict: Verdict, unit: Unit
) -> Stored[Clearance | VaultError]:
    """Settles one review, or gives the answer that it has already. A `VaultError` in the answer is to be raised
    when what had to be written before it is committed."""
    found = find_clearance(unit.connection, caller.tenant_id, request_id)
    if found is None or not (caller.owns(found.key_lineage) or caller.allows(Scope.REVIEW)):
        raise NotFound("There is no request with this id.")
    clearance = expire_if_due(unit, found)
    if not verdict.approved and caller.owns(clearance.key_lineage):
        return Stored(_cancel(caller, clearance, unit), reference=request_id)
    caller.require(Scope.REVIEW)
    if clearance.decision.outcome is Outcome.EXPIRED:
        return Stored(Conflict("This review expired before the decision arrived.", code="review_expired"))
    if clearance.decision.awaits_judge:
        raise Conflict("The judge is still looking at this request; there is no review of it yet.", code="processing")
    review = find_review(unit.connection, caller.tenant_id, request_id)
    if clearance.decision.outcome is not Outcome.PENDING:
        return Stored(_already_decided(clearance, review, verdict, unit), reference=request_id)
    assert review is not None
    if verdict.approved:
        return Stored(_approve(vault, caller, clearance, review, verdict, unit), reference=request_id)
    _check_reason(verdict, unit.tenant(caller.tenant_id).settings)
    return Stored(_deny(caller, clearance, review, verdict, unit), reference=request_id)


def _already_decided(clearance: Clearance, review: Review | None, verdict: Verdict, unit: Unit) -> Clearance:
    """The same decision again gets the same answer; the opposite is a conflict that says who was first."""
    decision = clearance.decision
    is_person = decision.decider.type in (DeciderType.KEY, DeciderType.PERSON)
    same_args = jcs.canonicalize(verdict.effective_args) == jcs.canonicalize(decision.effective_args)
    if is_person and verdict.approved == (decision.outcome is Outcome.APPROVED) and same_args:
        return clearance
    detail = f"This request is already {decision.outcome}; nothing was changed."
    if is_person and review is not None and review.decided_at is not None:
        names = names_of(unit.connection, unit.tenant(clearance.tenant_id))
        who = names.get(decision.decider.id, "Somebody who is no longer here")
        when = rfc3339(review.decided_at)
        detail = f"{who} decided this at {when}: it is already {decision.outcome}. Nothing was changed."
    raise Conflict(detail, code="review_already_decided")


def _check_reason(verdict: Verdict, settings: ReviewSettings) -> None:
    if settings.asks_reason(approved=verdict.approved) and not verdict.said_why:
        raise Invalid(REASON_MISSING, path="$.review_reason", code="review_reason_required")


def _approve(
    vault: Vault, caller: Caller, clearance: Clearance, review: Review, verdict: Verdict, unit: Unit
) -> Clearance:
    state = unit.tenant(caller.tenant_id)
    decider = decider_of(caller)
    vote = Vote(caller.lineage, decider.role, verdict.reason, unit.now)
    if verdict.effective_args is not None and not review.may_change_args(vote):
        raise Invalid(
            "Where several people must approve, the arguments can't be changed: each of them would have to see them.",
            path="$.effective_args",
            code="quorum_cannot_change_args",
        )
    if caller.lineage in review.voters:
        return clearance  # the same vote again
    parties = parties_of(unit.connection, state, [clearance])[clearance.request_id]
    if objection := review.conflict_of_interest(caller, parties, state.settings):
        raise Forbidden(objection.detail, code=objection.code)
    found = _check_still_allowed(clearance, verdict, unit)
    _check_reason(verdict, state.settings)
    unit.insert(schema.review_vote, vote_row(review, vote))
    review = review.with_vote(vote)
    if not review.of_votes(_still_counts(each, state, unit) for each in review.votes).has_quorum:
        record_event(unit, clearance, EventKind.REVIEW_VOTED, decider, {"review_reason": verdict.reason})
        return clearance
    settled = clearance.decision.settled(
        Outcome.APPROVED,
        decider=decider,
        reason=verdict.reason or APPROVED_WITHOUT_REASON,
        reason_code=None,
        effective_args=verdict.effective_args,
    )
    approved = replace(
        clearance,
        decision=replace(settled, limits=found),
        # iat and exp are fixed when the asker fetches it; an approval that nobody fetches lapses like a review.
        token=TokenFacts(
            jti=new_id(),
            kid=vault.token_key,
            pick_up_until=unit.now + state.settings.review_expiry_seconds * MICROSECONDS,
        ),
    )
    end_review(unit, review.ended(ReviewStatus.APPROVED, now=unit.now, by=caller.identity, reason=verdict.reason))
    record_move(unit, clearance, approved, EventKind.REVIEW_DECIDED, decider)
    return approved


def _still_counts(vote: Vote, state: TenantState, unit: Unit) -> bool:
    """Whether who approved may still approve: a vote doesn't outlive its voter's right."""
    member = find_member(unit.connection, state.tenant_id, vote.voter)
    if member is not None:
        return Scope.REVIEW in ROLE_SCOPES[member.role]
    return any(key.lineage == vote.voter and key.is_valid(unit.now) and key.allows(Scope.REVIEW) for key in state.keys)


def _check_still_allowed(clearance: Clearance, verdict: Verdict, unit: Unit) -> tuple[Finding, ...]:
    """An approval can't override a hard rule or a limit that denies, as they are now and for the arguments that would
    run. What was found about the limits."""
    if verdict.effective_args is not None and CHANGED_ARGS not in clearance.request.accepts:
        raise Invalid(
            "The client that asked would run the arguments that it sent, not these.",
            path="$.effective_args",
            code="client_cannot_change_args",
        )
    request = clearance.request
    if suspension := unit.tenant(clearance.tenant_id).suspension_of(request.agent_id, request.tool_name):
        raise Conflict(f"A review can't override a suspension. {suspension.why}", code="policy_changed")
    evaluation, limits = evaluate_again(unit, clearance, verdict.effective_args)
    if evaluation.effect is Effect.DENY:
        raise Conflict(
            f"The policies deny this call now, and a review can't override them. {evaluation.reason}",
            code="policy_changed",
        )
    effect, decisive = combined(limits.found)
    if effect is Effect.DENY:
        raise Conflict(
            f"A limit denies this call, and a review can't override it: {decisive[0].sentence}.", code="policy_changed"
        )
    return limits.found


def _deny(caller: Caller, clearance: Clearance, review: Review, verdict: Verdict, unit: Unit) -> Clearance:
    decider = decider_of(caller)
    denied = replace(
        clearance,
        decision=clearance.decision.settled(
            Outcome.DENIED,
            decider=decider,
            reason=verdict.reason or "Denied in review.",
            reason_code="review_denied",
        ),
    )
    end_review(unit, review.ended(ReviewStatus.DENIED, now=unit.now, by=caller.identity, reason=verdict.reason))
    record_move(unit, clearance, denied, EventKind.REVIEW_DECIDED, decider)
    return denied


def _cancel(caller: Caller, clearance: Clearance, unit: Unit) -> Clearance:
    """The asker takes its request back: while it is pending, or an approval that nobody has used."""
    match clearance.decision.outcome:
        case Outcome.DENIED | Outcome.EXPIRED | Outcome.CANCELLED:
            return clearance
        case Outcome.APPROVED if clearance.token is not None and clearance.token.consumed_at is not None:
            raise Conflict("This approval was used already; it can't be cancelled.", code="token_already_consumed")
        case Outcome.APPROVED | Outcome.PENDING:
            pass
    decider = decider_of(caller)
    reason = f"Cancelled by the {'person who' if decider.type is DeciderType.PERSON else 'agent that'} asked."
    cancelled = replace(
        clearance,
        decision=clearance.decision.settled(
            Outcome.CANCELLED,
            decider=decider,
            reason=reason,
            reason_code="cancelled_by_agent",
            effective_args=clearance.decision.effective_args,
        ),
    )
    if clearance.decision.needs_person:
        review = find_review(unit.connection, caller.tenant_id, clearance.request_id)
        assert review is not None
        end_review(unit, review.ended(ReviewStatus.CANCELLED, now=unit.now, by=caller.identity, reason=reason))
    record_move(unit, clearance, cancelled, EventKind.REVIEW_CANCELLED_BY_AGENT, decider)
    return cancelled

"""A decision: the verdict over one request, why, and how sure (contract section 2)."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from ledgix.formats.events import ConfidenceBucket, build_decision
from ledgix.formats.json import JsonObject
from ledgix_vault.limits.findings import Finding
from ledgix_vault.policy.evaluate import Evaluation
from ledgix_vault.policy.model import Effect
from ledgix_vault.policy.open_text import find_open_text
from ledgix_vault.tenancy.callers import Caller
from ledgix_vault.tenancy.judge_settings import NO_JUDGE, JudgeSettings
from ledgix_vault.tenancy.people import Member
from ledgix_vault.tenancy.settings import ReviewSettings
from ledgix_vault.tenancy.suspensions import Suspension


class Outcome(StrEnum):
    """The true state of a request (`outcome` on the wire)."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class DeciderType(StrEnum):
    """Who decided: `decider.type` in the ledger."""

    ENGINE = "engine"
    JUDGE = "judge"
    PERSON = "person"
    KEY = "key"
    SYSTEM = "system"


class Decider(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who decided; `id` is a key or person id, `""` for engine and system. `assurance` is how a person had shown who
    they are, `role` in which role they acted; both `""` for everybody else."""

    type: DeciderType
    id: str = ""
    assurance: str = ""
    role: str = ""


def decider_of(caller: Caller) -> Decider:
    """The caller as the one who decides."""
    if isinstance(caller, Member):
        return Decider(DeciderType.PERSON, caller.person_id, str(caller.assurance), str(caller.role))
    return Decider(DeciderType.KEY, caller.key_id)


ENGINE = Decider(DeciderType.ENGINE)
SYSTEM = Decider(DeciderType.SYSTEM)
LOW_CONFIDENCE = "low_confidence"
"""`reason_code` of an approval that the tenant's threshold sends to a person."""
SUSPENDED = "suspended"
"""`reason_code` and `code` of whatever a suspension refuses."""

_BUCKET_ORDER = {bucket: rank for rank, bucket in enumerate(reversed(ConfidenceBucket))}


class Decision(msgspec.Struct, frozen=True):
    """One verdict with its grounds. A review's outcome is a new decision that keeps the policy's part."""

    outcome: Outcome
    reason: str
    reason_code: str | None
    confidence_bucket: ConfidenceBucket
    minimum_confidence_bucket: ConfidenceBucket
    policy_id: str | None
    policy_version_id: str | None
    policy_content_hash: str | None
    snapshot_hash: str
    matched_rule_ids: tuple[str, ...]
    assumptions: tuple[str, ...]
    citations: tuple[JsonObject, ...]
    trace: tuple[JsonObject, ...]
    action_category: str
    decider: Decider = ENGINE
    effective_args: JsonObject | None = None
    limits: tuple[Finding, ...] = ()
    shadow: tuple[JsonObject, ...] = ()
    """What shadows would have said (`clearance.shadows`); never enforced."""
    awaits_judge: bool = False  # pending, and no person is asked before the judge was
    judgement: JsonObject | None = None  # what judges said, with the hash of all that they saw

    @property
    def needs_person(self) -> bool:
        """Whether a review stands or has to be opened."""
        return self.outcome is Outcome.PENDING and not self.awaits_judge

    @property
    def status(self) -> str:
        """`status` on the wire, as of the decision (a token's later fate is not in it)."""
        match self.outcome:
            case Outcome.APPROVED:
                return "approved"
            case Outcome.PENDING:
                return "processing" if self.awaits_judge else "pending_review"
            case Outcome.DENIED | Outcome.EXPIRED | Outcome.CANCELLED:
                return "denied"

    @property
    def decision_status(self) -> str:
        return "approved_pending_review" if self.outcome is Outcome.PENDING else self.status

    def settled(
        self,
        outcome: Outcome,
        *,
        decider: Decider,
        reason: str,
        reason_code: str | None,
        effective_args: JsonObject | None = None,
    ) -> Decision:
        """What became of this decision when a review ended, or the asker took it back."""
        return replace(
            self,
            outcome=outcome,
            decider=decider,
            reason=reason,
            reason_code=reason_code,
            effective_args=effective_args,
            awaits_judge=False,
        )

    def for_ledger(self) -> JsonObject:
        """The `decision` member of the event's intent."""
        return build_decision(
            status=self.status,
            decision_status=self.decision_status,
            outcome=str(self.outcome),
            reason_code=self.reason_code,
            confidence_bucket=str(self.confidence_bucket),
            minimum_confidence_bucket=str(self.minimum_confidence_bucket),
            policy_id=self.policy_id,
            policy_version_id=self.policy_version_id,
            policy_content_hash=self.policy_content_hash,
            snapshot_hash=self.snapshot_hash,
            matched_rule_ids=list(self.matched_rule_ids),
            assumptions=list(self.assumptions),
            effective_args=self.effective_args,
        )


def conclude(
    evaluation: Evaluation, settings: ReviewSettings, snapshot_hash: str, judge: JudgeSettings = NO_JUDGE
) -> Decision:
    """Turns what the rules found into the answer: an approval below the tenant's threshold goes to a person; what only
    text stands against goes to the judge first, if the tenant has one."""
    effect, reason, reason_code = evaluation.effect, evaluation.reason, evaluation.reason_code
    if effect is Effect.APPROVE and not reaches(evaluation.bucket, settings.minimum_confidence_bucket):
        effect = Effect.REVIEW
        reason_code = LOW_CONFIDENCE
        reason = (
            f"{reason} The confidence is {evaluation.bucket}; this tenant wants at least"
            f" {settings.minimum_confidence_bucket}, so a person decides."
        )
    return Decision(
        outcome=_OUTCOMES[effect],
        reason=reason,
        reason_code=reason_code,
        confidence_bucket=evaluation.bucket,
        minimum_confidence_bucket=settings.minimum_confidence_bucket,
        policy_id=evaluation.policy_id or None,
        policy_version_id=evaluation.policy_version_id or None,
        policy_content_hash=evaluation.policy_content_hash or None,
        snapshot_hash=snapshot_hash,
        matched_rule_ids=tuple(evaluation.matched_rule_ids),
        assumptions=tuple(evaluation.assumptions),
        citations=tuple(evaluation.citations),
        trace=tuple(rule.to_json() for rule in evaluation.trace),
        action_category=evaluation.action_category,
        awaits_judge=judge.enabled and find_open_text(evaluation, judge.may) is not None,
    )


def refused(decision: Decision, reason_code: str, reason: str) -> Decision:
    """The same facts, denied for a reason that stands above the policies, and so above what shadows would have said."""
    return replace(
        decision, outcome=Outcome.DENIED, reason=reason, reason_code=reason_code, shadow=(), awaits_judge=False
    )


def suspended(suspension: Suspension, settings: ReviewSettings, snapshot_hash: str) -> Decision:
    """The denial of a call that is suspended: no policy was asked, and none is named."""
    return Decision(
        outcome=Outcome.DENIED,
        reason=suspension.why,
        reason_code=SUSPENDED,
        confidence_bucket=ConfidenceBucket.EXTRA_HIGH,
        minimum_confidence_bucket=settings.minimum_confidence_bucket,
        policy_id=None,
        policy_version_id=None,
        policy_content_hash=None,
        snapshot_hash=snapshot_hash,
        matched_rule_ids=(),
        assumptions=(),
        citations=(),
        trace=(),
        action_category="",
    )


def reaches(bucket: ConfidenceBucket, minimum: ConfidenceBucket) -> bool:
    """Whether `bucket` is at least `minimum`."""
    return _BUCKET_ORDER[bucket] >= _BUCKET_ORDER[minimum]


_OUTCOMES = {Effect.APPROVE: Outcome.APPROVED, Effect.REVIEW: Outcome.PENDING, Effect.DENY: Outcome.DENIED}

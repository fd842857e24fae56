"""What a language model is asked about a call, and what its answers amount to. `ledgix_vault.judge` does the asking.

Invariants (architecture, "Policies")
- Only text that is no rule may be judged: a call that a rule stopped, or that can't be decided, never gets here.
- A judgement lowers a verdict or leaves it to a person. It approves only where every policy whose text stands in the
  way says so and its cap holds, and where the tenant accepts the bucket that k of k agreement earns: medium.
- The bucket is derived from what was verified. What a model says about its own confidence is never asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import cast

from msgspec.structs import replace

from ledgix.formats import jcs
from ledgix.formats.confidence import ConfidenceBucket
from ledgix.formats.json import Json, JsonObject
from ledgix_vault.clearance.decision import Decider, Decision, Outcome, reaches
from ledgix_vault.clearance.request import ClearanceRequest
from ledgix_vault.policy.open_text import OpenText
from ledgix_vault.tenancy.settings import ReviewSettings

MOST_EXCERPTS = 60
LONGEST_EXCERPTS = 60_000
LONGEST_CALL = 32_768
"""Characters. What doesn't fit isn't judged in part: a person decides."""

AGREEMENT = ConfidenceBucket.MEDIUM
"""What k of k judgements with verified quotes earn."""
JUDGE_DENIED = "judge_denied"
JUDGE_UNDECIDED = "judge_undecided"
JUDGE_MAY_NOT_APPROVE = "judge_may_not_approve"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of policy text that a judge may quote. `document`, `section` and `page` are empty for a sentence."""

    policy_id: str
    policy_version_id: str
    text: str
    document: str = ""
    section: str = ""
    page: int | None = None

    def citation(self, quote: str) -> JsonObject:
        """The clause that a quote is (contract section 2)."""
        cited: JsonObject = {
            "policy_id": self.policy_id,
            "policy_version_id": self.policy_version_id,
            "document": self.document,
            "section": self.section,
            "quote": quote,
            "rule_id": "",
        }
        return cited if self.page is None else {**cited, "page": self.page}

    def identity(self) -> JsonObject:
        """What the record says of it; its text stands in the policy version."""
        return {**self.citation(""), "sha256": jcs.sha256_hex(self.text)}


@dataclass(frozen=True)
class Question:
    """Everything that a judge gets to see. Two equal questions may share an answer.

    `call` is one line of canonical JSON. `may_approve` says whether agreement would approve: then, and only then, a
    second judge argues for denial.
    """

    call: str
    excerpts: tuple[Excerpt, ...]
    times: int
    may_approve: bool

    @cached_property
    def fits(self) -> bool:
        """Whether all of it can be shown to a judge."""
        length = sum(len(excerpt.text) for excerpt in self.excerpts)
        return 0 < len(self.excerpts) <= MOST_EXCERPTS and length <= LONGEST_EXCERPTS and len(self.call) <= LONGEST_CALL


class Finding(StrEnum):
    """What all judgements of one question amount to."""

    ALLOWED = "allowed"  # k of k found nothing against it; where it would be approved, the opponent found nothing
    DENIED = "denied"  # k of k found the same prohibition
    UNDECIDED = "undecided"  # anything else


@dataclass(frozen=True, slots=True)
class Judgement:
    """`reason` is one sentence for people, `citations` are verified quotes, `record` goes into the ledger."""

    finding: Finding
    reason: str
    citations: tuple[JsonObject, ...]
    record: JsonObject


def call_text(request: ClearanceRequest) -> str:
    """What a judge sees of a call: one line of canonical JSON. What the agent's side claims is marked as such, and of
    its `context` nothing but the facts is shown: its words are no evidence."""
    destination = {
        "uri": request.destination_uri,
        "provider": request.destination_provider,
        "account_ref": request.destination_account_ref,
    }
    return jcs.canonicalize(
        {
            "tool": request.tool_name,
            "arguments": request.tool_args,
            "unverified_claims": {
                "agent_id": request.agent_id,
                "human_principal": request.human_principal,
                "destination": cast("Json", destination),
                "purpose": request.purpose,
                "data_categories": None if request.data_categories is None else list(request.data_categories),
                "facts": request.facts,
            },
        }
    ).decode()


def obstacle_to_approval(open_text: OpenText, settings: ReviewSettings) -> str:
    """Why agreement of the judges wouldn't approve; "" if it would."""
    if open_text.obstacle or reaches(AGREEMENT, settings.minimum_confidence_bucket):
        return open_text.obstacle
    return f"this tenant wants at least {settings.minimum_confidence_bucket}, and a judge earns {AGREEMENT}"


def judged(decision: Decision, judgement: Judgement, judge: Decider, obstacle: str) -> Decision:
    """What the judgement makes of a decision that awaited it."""
    settled = replace(
        decision,
        decider=judge,
        awaits_judge=False,
        judgement=judgement.record,
        confidence_bucket=ConfidenceBucket.LOW if judgement.finding is Finding.UNDECIDED else AGREEMENT,
        citations=judgement.citations or decision.citations,
    )
    reason = judgement.reason
    match judgement.finding:
        case Finding.DENIED:
            return replace(settled, outcome=Outcome.DENIED, reason=reason, reason_code=JUDGE_DENIED)
        case Finding.ALLOWED if not obstacle:
            return replace(settled, outcome=Outcome.APPROVED, reason=reason, reason_code=None)
        case Finding.ALLOWED:
            return replace(
                settled,
                reason=f"{reason} A person decides all the same: {obstacle}.",
                reason_code=JUDGE_MAY_NOT_APPROVE,
            )
        case Finding.UNDECIDED:
            return replace(settled, reason=f"{reason} {decision.reason}", reason_code=JUDGE_UNDECIDED)


def left_to_a_person(decision: Decision, why: str) -> Decision:
    """A decision that awaited the judge, which can't be asked."""
    return replace(
        decision,
        awaits_judge=False,
        confidence_bucket=ConfidenceBucket.LOW,
        reason=f"{why} {decision.reason}",
        reason_code=JUDGE_UNDECIDED,
    )

"""What shadows would have said of a call: the whole decision, with the shadow in the place of the active version.

It is recorded beside the decision and never enforced. A shadow is left out where neither it nor the active version of
its policy has a say.
"""

from __future__ import annotations

from ledgix.formats.json import JsonObject
from ledgix_vault.clearance.decision import Decision, conclude
from ledgix_vault.policy.call import Call
from ledgix_vault.policy.evaluate import Evaluation, evaluate
from ledgix_vault.policy.snapshot import ActivePolicy, Snapshot
from ledgix_vault.policy.verdicts import Verdict
from ledgix_vault.tenancy.settings import ReviewSettings


def beside(snapshot: Snapshot, settings: ReviewSettings, call: Call, evaluation: Evaluation) -> tuple[JsonObject, ...]:
    """One object for each shadow that has a say; `evaluation` is the one that decides."""
    found = []
    for shadow, alternative in snapshot.alternatives:
        other = evaluate(alternative, call)
        own = _of(other, shadow.document.policy_id)
        if own is not None or _of(evaluation, shadow.document.policy_id) is not None:
            found.append(_said(shadow, own, conclude(other, settings, "")))
    return tuple(found)


def _of(evaluation: Evaluation, policy_id: str) -> Verdict | None:
    return next((verdict for verdict in evaluation.verdicts if verdict.policy_id == policy_id), None)


def _said(shadow: ActivePolicy, own: Verdict | None, decision: Decision) -> JsonObject:
    """`effect` and `matched_rule_ids` are the version's own (null and none where it doesn't cover the tool); `outcome`
    and `reason` are what the request would have got, all policies together."""
    fired = [] if own is None else sorted(found.rule.id for found in own.rules if found.outcome is True)
    return {
        "policy_id": shadow.document.policy_id,
        "policy_version_id": shadow.version_id,
        "policy_content_hash": shadow.document.content_hash,
        "version": shadow.version,
        "effect": None if own is None else str(own.effect),
        "matched_rule_ids": [*fired],
        "outcome": str(decision.outcome),
        "reason_code": decision.reason_code,
        "reason": decision.reason,
    }

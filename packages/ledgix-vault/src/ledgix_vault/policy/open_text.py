"""Where only text is left to decide: whose text stands in the way of a call, and whether a judge's yes would count.

Invariants
- Text is all that is left if no rule denied or sent to review, nothing is unknown, and nothing else objects.
- A judge's yes counts only if every policy whose text stands in the way says so, and all conditions of its cap hold.
- It never counts for what the rules would deny without the text, nor for negative money that no condition speaks of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledgix_vault.policy.cel.inputs import Inputs
from ledgix_vault.policy.effect import Effect
from ledgix_vault.policy.evaluate import Evaluation, is_negative
from ledgix_vault.policy.parts import JudgeMay, JudgeTerms
from ledgix_vault.policy.snapshot import AMOUNT
from ledgix_vault.policy.verdicts import Ground, Verdict, all_of

TIMES = 3
"""How often a judge is asked for a policy that doesn't say."""


@dataclass(frozen=True, slots=True)
class OpenText:
    """`verdicts` are those that rest on text alone. `obstacle` says why a judge's yes wouldn't approve, "" if it
    would."""

    verdicts: tuple[Verdict, ...]
    times: int
    obstacle: str


def find_open_text(evaluation: Evaluation, otherwise: JudgeMay | None) -> OpenText | None:
    """What a judge may look at, or None where it has no say. `otherwise` holds for policies without terms."""
    if evaluation.effect is not Effect.REVIEW or evaluation.reason_code is not None or evaluation.objections:
        return None
    verdicts = evaluation.verdicts
    if any(verdict.has_unknown for verdict in verdicts):
        return None
    stopping = tuple(verdict for verdict in verdicts if verdict.effect is not Effect.APPROVE)
    if not stopping or any(verdict.ground is not Ground.UNCOMPILED for verdict in stopping):
        return None
    terms = [_terms(verdict, otherwise) for verdict in stopping]
    if None in terms:
        return None
    return OpenText(
        stopping,
        max(each.times for each in terms if each is not None),
        next(_obstacles(evaluation, stopping), ""),
    )


def _terms(verdict: Verdict, otherwise: JudgeMay | None) -> JudgeTerms | None:
    own = verdict.policy.document.judge
    if own is None and otherwise is not None:
        return JudgeTerms(JudgeMay.LOWER, (), TIMES)  # only a policy itself can let a judge approve
    return own


def _obstacles(evaluation: Evaluation, stopping: tuple[Verdict, ...]) -> Iterator[str]:
    inputs = evaluation.inputs
    for verdict in stopping:
        terms, name = verdict.policy.document.judge, f"policy '{verdict.policy_id}'"
        if terms is None or terms.may is not JudgeMay.APPROVE:
            yield f"{name} doesn't let a judge approve"
            continue
        if not _cap_holds(verdict, terms, inputs):
            yield f"the call isn't within what {name} lets a judge approve"
        if verdict.plan.otherwise is Effect.DENY and not any(found.outcome is True for found in verdict.rules):
            yield f"without its text, {name} would deny this call"
    conditions = [c for verdict in stopping for found in verdict.rules for c in found.rule.when]
    conditions += [c for verdict in stopping if (own := verdict.policy.document.judge) for c in own.when]
    for path in tuple(inputs.money) or AMOUNT:
        if is_negative(inputs.call.args, path) and not any(condition.allows_negative(path) for condition in conditions):
            yield f"{'.'.join(path)} is negative, and no condition speaks of negative amounts"


def _cap_holds(verdict: Verdict, terms: JudgeTerms, inputs: Inputs) -> bool:
    inputs.tables = verdict.policy.document.tables
    return all_of([condition.test(inputs) for condition in terms.when]) is True

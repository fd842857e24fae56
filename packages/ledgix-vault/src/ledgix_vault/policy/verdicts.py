"""What one policy says about one call, with the result of every rule that applies."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple, assert_never

from ledgix_vault.policy.cel.inputs import Inputs, Outcome, Unknown
from ledgix_vault.policy.model import Effect, Rule
from ledgix_vault.policy.snapshot import ActivePolicy, Plan


class Ground(StrEnum):
    """Why a policy says what it says."""

    RULE = "rule"
    UNKNOWN = "unknown"
    UNCOMPILED = "uncompiled"
    OTHERWISE = "otherwise"


class RuleResult(NamedTuple):
    """`results` has one entry for each condition; `outcome` is all of them together."""

    rule: Rule
    results: tuple[Outcome, ...]
    outcome: Outcome


class Verdict(NamedTuple):
    """One policy's verdict."""

    policy: ActivePolicy
    effect: Effect
    ground: Ground
    rules: tuple[RuleResult, ...]

    def grounds(self) -> list[RuleResult]:
        """The rules that this verdict rests on. For `otherwise`, all that were asked and did not fire."""
        match self.ground:
            case Ground.RULE:
                return [found for found in self.rules if found.outcome is True and found.rule.effect is self.effect]
            case Ground.UNKNOWN:
                return [found for found in self.rules if isinstance(found.outcome, Unknown)]
            case Ground.UNCOMPILED:
                return []
            case Ground.OTHERWISE:
                return list(self.rules)
            case _:
                assert_never(self.ground)


def judge(plan: Plan, inputs: Inputs) -> Verdict:
    """Contract section 4: deny rule, then review rule, then anything unknown or uncompiled, then approve rule, else
    `otherwise`. Every rule is evaluated, whatever was found before it, so that the trace is whole."""
    denied = reviewed = approved = unknown = False
    results: list[RuleResult] = []
    for rule, tests in plan.rules:
        outcomes = tuple([test(inputs) for test in tests])
        outcome = _all(outcomes)
        results.append(RuleResult(rule, outcomes, outcome))
        if outcome is False:
            continue
        if outcome is not True:
            unknown = True
        elif rule.effect is Effect.DENY:
            denied = True
        elif rule.effect is Effect.REVIEW:
            reviewed = True
        else:
            approved = True
    found = tuple(results)
    if denied:
        return Verdict(plan.policy, Effect.DENY, Ground.RULE, found)
    if reviewed:
        return Verdict(plan.policy, Effect.REVIEW, Ground.RULE, found)
    if unknown:
        return Verdict(plan.policy, Effect.REVIEW, Ground.UNKNOWN, found)
    if plan.policy.document.uncompiled:
        return Verdict(plan.policy, Effect.REVIEW, Ground.UNCOMPILED, found)
    if approved:
        return Verdict(plan.policy, Effect.APPROVE, Ground.RULE, found)
    return Verdict(plan.policy, plan.otherwise, Ground.OTHERWISE, found)


def _all(outcomes: tuple[Outcome, ...]) -> Outcome:
    """`&&` over the conditions of a rule: one False decides, else one unknown does."""
    whole: Outcome = True
    for outcome in outcomes:
        if outcome is False:
            return False
        if outcome is not True and whole is True:
            whole = outcome
    return whole

"""What one policy says about one call, with the result of every rule that applies."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, assert_never

from ledgix_vault.policy.call import Call
from ledgix_vault.policy.cel.inputs import Inputs, Outcome, Unknown
from ledgix_vault.policy.destinations import Receiver, check_destinations
from ledgix_vault.policy.finding import Finding
from ledgix_vault.policy.model import Effect, Rule
from ledgix_vault.policy.registers import check_registers
from ledgix_vault.policy.snapshot import ActivePolicy, Plan


class Ground(StrEnum):
    """Why a policy says what it says."""

    RULE = "rule"
    PART = "part"  # destinations or registers
    UNKNOWN = "unknown"
    UNCOMPILED = "uncompiled"
    OTHERWISE = "otherwise"


class RuleResult(NamedTuple):
    """`results` has one entry for each condition; `outcome` is all of them together."""

    rule: Rule
    results: Sequence[Outcome]
    outcome: Outcome


class Verdict(NamedTuple):
    """One policy's verdict. `results` has one entry for each condition of each rule of `plan`."""

    plan: Plan
    effect: Effect
    ground: Ground
    has_unknown: bool
    results: Sequence[Sequence[Outcome]]
    findings: Sequence[Finding] = ()

    @property
    def policy(self) -> ActivePolicy:
        return self.plan.policy

    @property
    def policy_id(self) -> str:
        return self.plan.policy.document.policy_id

    @property
    def rules(self) -> list[RuleResult]:
        """Every rule that applied, with what came of it."""
        pairs = zip(self.plan.rules, self.results, strict=True)
        return [RuleResult(planned.rule, results, all_of(results)) for planned, results in pairs]

    def grounds(self) -> list[RuleResult]:
        """The rules that this verdict rests on. For `otherwise`, all that were asked and did not fire."""
        match self.ground:
            case Ground.RULE:
                return [found for found in self.rules if found.outcome is True and found.rule.effect is self.effect]
            case Ground.UNKNOWN:
                return [found for found in self.rules if isinstance(found.outcome, Unknown)]
            case Ground.UNCOMPILED | Ground.PART:
                return []
            case Ground.OTHERWISE:
                return self.rules
            case _:
                assert_never(self.ground)

    def objecting(self) -> list[Finding]:
        """What destinations and registers have against the call, as far as the verdict rests on it."""
        if self.ground is not Ground.PART:
            return []
        return [finding for finding in self.findings if finding.effect is self.effect]


def judge(plan: Plan, inputs: Inputs) -> Verdict:
    """Contract section 4: what denies (a rule, then destinations and registers), then a review rule, then anything
    unknown or left as text, then approve rule, else `otherwise`. Everything is evaluated, whatever was found before
    it, so that the trace is whole."""
    fired: list[Effect] = []  # no set: hashing an enum costs more than looking through three
    has_unknown = False
    results: list[list[Outcome]] = []
    inputs.tables = plan.policy.document.tables
    for rule, tests in plan.rules:
        outcomes: list[Outcome] = []
        is_false = is_unknown = False
        for test in tests:
            outcome = test(inputs)
            outcomes.append(outcome)
            if outcome is False:
                is_false = True
            elif outcome is not True:
                is_unknown = True
        results.append(outcomes)
        if is_false:
            continue
        if is_unknown:
            has_unknown = True
        else:
            fired.append(rule.effect)
    findings = _findings(plan, inputs.call) if plan.destinations or plan.registers else ()
    against = [finding.effect for finding in findings]
    effect, ground = _verdict(plan, fired, against, has_unknown=has_unknown)
    return Verdict(plan, effect, ground, has_unknown or Effect.REVIEW in against, results, findings)


def _findings(plan: Plan, call: Call) -> tuple[Finding, ...]:
    receiver = Receiver.of(call)
    found = [check_destinations(part, receiver) for part in plan.destinations]
    if plan.registers:
        found.append(check_registers(plan.registers, call, receiver))
    return tuple(found)


def _verdict(
    plan: Plan, fired: Sequence[Effect], against: Sequence[Effect | None], *, has_unknown: bool
) -> tuple[Effect, Ground]:
    if Effect.DENY in fired:
        return Effect.DENY, Ground.RULE
    if Effect.DENY in against:
        return Effect.DENY, Ground.PART
    if Effect.REVIEW in fired:
        return Effect.REVIEW, Ground.RULE
    if has_unknown:
        return Effect.REVIEW, Ground.UNKNOWN
    if Effect.REVIEW in against:
        return Effect.REVIEW, Ground.PART
    if plan.policy.document.open_text:
        return Effect.REVIEW, Ground.UNCOMPILED
    return (Effect.APPROVE, Ground.RULE) if fired else (plan.otherwise, Ground.OTHERWISE)


def all_of(outcomes: Sequence[Outcome]) -> Outcome:
    """`&&` over the conditions of a rule: one False decides, else one unknown does."""
    if False in outcomes:
        return False
    return next((outcome for outcome in outcomes if outcome is not True), True)

"""The decision by rules alone: a snapshot and a call in, a verdict with its grounds out. Pure and total.

Invariants (contract section 4, architecture "Policies"):

- Every active policy that covers the tool is evaluated, always; deny beats review beats approve, and `otherwise`
  counts as a verdict. Nothing covers the tool: the tenant's default, `no_matching_policy`.
- An argument that is missing, null, of the wrong type or negative money never lets an approval through: an unknown
  condition, a misfit with the registered schema, or an unmentioned negative amount means a person decides.
- A hint never narrows. It picks the policy that is reported; one that is unknown or doesn't cover means review.
- The same snapshot and the same call give the same evaluation, word for word.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import cast

from msgspec import Struct

from ledgix.formats.confidence import ConfidenceBucket
from ledgix.formats.json import JsonObject
from ledgix_vault.policy import explain
from ledgix_vault.policy.call import Call
from ledgix_vault.policy.cel.inputs import Inputs, is_number, spell
from ledgix_vault.policy.explain import ConditionTrace, PartTrace, RuleTrace
from ledgix_vault.policy.model import Effect
from ledgix_vault.policy.money import Path
from ledgix_vault.policy.snapshot import Coverage, Snapshot, plan
from ledgix_vault.policy.verdicts import Ground, Verdict, judge

__all__ = ["Call", "ConditionTrace", "Evaluation", "Ground", "RuleTrace", "Verdict", "evaluate"]


class Evaluation(Struct, frozen=True):
    """What the rules found. Grounds (`reason`, `citations`, `trace`) are put into words when they are asked for."""

    effect: Effect
    reason_code: str | None
    bucket: ConfidenceBucket
    assumptions: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    """Of each policy that has a say, by policy id."""
    objections: tuple[str, ...]
    """What stands against an approval beside the verdicts: arguments that don't fit, a hint that leads nowhere."""
    _deciding: tuple[Verdict, ...]  # the verdicts that won, the reported one first; none when the default decided
    _inputs: Inputs

    @property
    def inputs(self) -> Inputs:
        """What conditions read of this call."""
        return self._inputs

    @property
    def policy_id(self) -> str:
        """The reported policy; "" when none has a say."""
        return self._deciding[0].policy_id if self._deciding else ""

    @property
    def policy_version_id(self) -> str | None:
        return self._deciding[0].policy.version_id if self._deciding else None

    @property
    def policy_content_hash(self) -> str | None:
        return self._deciding[0].policy.document.content_hash if self._deciding else None

    @property
    def action_category(self) -> str:
        """What the reported policy calls such actions; "" when it doesn't say."""
        return self._deciding[0].policy.document.action_category if self._deciding else ""

    @property
    def matched_rule_ids(self) -> tuple[str, ...]:
        """The rules of the reported policy that fired, and what its destinations and registers object by; sorted."""
        if not self._deciding:
            return ()
        fired = [found.rule.id for found in self._deciding[0].rules if found.outcome is True]
        against = [found.id for found in self._deciding[0].findings if found.effect is not None]
        return tuple(sorted(fired + against))

    @property
    def reason(self) -> str:
        """Why, for people. Holds argument values: a protected field in the ledger."""
        return explain.reason(self.effect, self._deciding, self._inputs, self.objections)

    @property
    def citations(self) -> list[JsonObject]:
        """The clauses on which the decision rests."""
        return explain.citations(self._deciding)

    @property
    def trace(self) -> tuple[RuleTrace | PartTrace, ...]:
        """Every rule that applied, each condition with its result and what it saw."""
        return explain.trace(self.verdicts, self._inputs)


def evaluate(snapshot: Snapshot, call: Call) -> Evaluation:
    """Asks every policy that has a say, and combines what they say."""
    coverage = snapshot.coverage(call.tool_name)
    inputs = Inputs(call, coverage.money)
    verdicts = [judge(each, inputs) for each in coverage.plans]
    objections: list[str] = []
    if call.extra_policy_ids:
        verdicts = _with_extra(snapshot, call, inputs, verdicts, objections)
    effect, by_default = _combined(verdicts, None if coverage.plans else snapshot.default)
    deciding = () if by_default else _deciding(verdicts, effect, call.hint)
    if call.hint and all(each.policy.document.policy_id != call.hint for each in coverage.plans):
        objections.append(_lost_hint(snapshot, call.hint, call.tool_name))
    if coverage.schema is not None:
        objections.extend(f"the arguments don't fit the tool: {misfit}" for misfit in coverage.schema.check(call.args))
    if effect is Effect.APPROVE:
        objections.extend(_negative_amounts(coverage, call.args, deciding))
    final = Effect.REVIEW if objections and effect is Effect.APPROVE else effect
    assumptions = tuple(dict.fromkeys(inputs.assumed)) if inputs.assumed else ()
    return Evaluation(
        effect=final,
        reason_code=_reason_code(final, deciding, by_default=by_default),
        bucket=_bucket(final, verdicts, deciding, bool(objections), bool(assumptions) or _rests_on_people(deciding)),
        assumptions=assumptions,
        verdicts=tuple(verdicts),
        objections=tuple(objections),
        _deciding=deciding,
        _inputs=inputs,
    )


def _with_extra(
    snapshot: Snapshot, call: Call, inputs: Inputs, verdicts: list[Verdict], objections: list[str]
) -> list[Verdict]:
    """Adds the verdicts of `extra_policy_ids` that didn't speak yet; one that is gone speaks against an approval."""
    found = {verdict.policy_id: verdict for verdict in verdicts}
    for policy_id in call.extra_policy_ids:
        policy = snapshot.policy(policy_id)
        if policy is None:
            objections.append(f"policy '{policy_id}', which decided the parent call, is no longer active")
        elif policy_id not in found:
            found[policy_id] = judge(plan(policy, call.tool_name), inputs)
    return [found[policy_id] for policy_id in sorted(found)]


def _combined(verdicts: Sequence[Verdict], default: Effect | None) -> tuple[Effect, bool]:
    """The strictest verdict, and whether it is the tenant's `default` (None when a policy covers the tool); what only
    the parent's policy says as well leaves it the default's."""
    said = [verdict.effect for verdict in verdicts]
    if default is not None:
        return (default, True) if _strictest([default, *said]) is default else (_strictest(said), False)
    return _strictest(said), False


def _strictest(said: Sequence[Effect]) -> Effect:
    if Effect.DENY in said:
        return Effect.DENY
    return Effect.REVIEW if Effect.REVIEW in said else Effect.APPROVE


def _deciding(verdicts: Sequence[Verdict], effect: Effect, hint: str | None) -> tuple[Verdict, ...]:
    """The verdicts that won; the hinted one first if it is among them, else by policy id."""
    won = [verdict for verdict in verdicts if verdict.effect is effect]
    if hint and len(won) > 1:
        won.sort(key=lambda verdict: verdict.policy_id != hint)
    return tuple(won)


def _lost_hint(snapshot: Snapshot, hint: str, tool: str) -> str:
    if snapshot.policy(hint) is None:
        return f"the call expects policy {spell(hint)}, which isn't active"
    return f"the call expects policy {spell(hint)}, which doesn't cover the tool {spell(tool)}"


def _negative_amounts(coverage: Coverage, args: JsonObject, deciding: Sequence[Verdict]) -> Iterator[str]:
    """A limit on money is no permission for negative amounts: where the approving policies look at an amount and none
    of their rules speaks of negative ones, a negative one isn't approved."""
    for path in coverage.amounts:
        if not is_negative(args, path):
            continue
        conditions = [c for verdict in deciding for found in verdict.rules for c in found.rule.when]
        looked_at = any(reading.path == ("args", *path) for c in conditions for reading in c.reads)
        if looked_at and not any(condition.allows_negative(path) for condition in conditions):
            yield f"{'.'.join(path)} is negative, and no rule speaks of negative amounts"


def is_negative(args: JsonObject, path: Path) -> bool:
    """Whether the argument at `path` is a number below zero."""
    value: object = args
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return (type(value) is int or is_number(value)) and cast("int | Decimal", value) < 0


def _reason_code(effect: Effect, deciding: Sequence[Verdict], *, by_default: bool) -> str | None:
    if effect is Effect.APPROVE:
        return None
    if by_default:
        return "no_matching_policy"
    if effect is not Effect.DENY:
        return None
    return next((finding.reason_code for finding in deciding[0].objecting()), "policy_denied")


def _rests_on_people(deciding: Sequence[Verdict]) -> bool:
    return True in [verdict.policy.document.rests_on_people for verdict in deciding]


def _bucket(
    effect: Effect, verdicts: Sequence[Verdict], deciding: Sequence[Verdict], objected: bool, assumed: bool
) -> ConfidenceBucket:
    """How sure the rules alone are (architecture, "Confidence buckets"). Without a policy, or where only text that is
    no rule speaks: none. A review because something couldn't be told: low. Something assumed (that text beside the
    rules doesn't matter here, as a person marked it, is an assumption too), or unknown beside a rule that denies:
    high. Else extra_high."""
    if False not in [verdict.ground is Ground.UNCOMPILED for verdict in deciding]:
        return ConfidenceBucket.NONE
    unknown = objected or True in [verdict.has_unknown for verdict in verdicts]
    if unknown and effect is Effect.REVIEW:
        return ConfidenceBucket.LOW
    return ConfidenceBucket.HIGH if unknown or assumed else ConfidenceBucket.EXTRA_HIGH

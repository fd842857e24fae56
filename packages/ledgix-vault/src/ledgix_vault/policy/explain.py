"""Verdicts in words and as records: the reason that a lawyer can read, the trace, the clauses that are cited.

All of it is derived from a finished evaluation, on demand; nothing here decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, assert_never, cast

from ledgix.formats.json import Json, JsonObject
from ledgix_vault.policy.cel.inputs import Inputs, Outcome, Unknown, printable, spell
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.finding import Finding
from ledgix_vault.policy.model import Effect, Rule
from ledgix_vault.policy.money import Path, Unit
from ledgix_vault.policy.verdicts import Ground, RuleResult, Verdict, all_of

MOST_CITED = 20
MOST_NAMED = 3
MOST_FACTS = 6
LONGEST_QUOTE = 300


class ConditionTrace(NamedTuple):
    """One condition: `result` is "true", "false" or "unknown", `values` what it looked at, `why` why it's unknown."""

    text: str
    result: str
    values: Mapping[str, str]
    why: str


class RuleTrace(NamedTuple):
    """One rule that applied to the call. What its conditions saw is looked up when it is asked for."""

    policy_id: str
    rule: Rule
    results: Sequence[Outcome]
    inputs: Inputs

    @property
    def result(self) -> str:
        """Of all conditions together."""
        return _result(all_of(self.results))

    @property
    def conditions(self) -> list[ConditionTrace]:
        pairs = zip(self.rule.when, self.results, strict=True)
        return [
            ConditionTrace(condition.text, _result(result), self._values(condition), _why(result))
            for condition, result in pairs
        ]

    def to_json(self) -> JsonObject:
        """For the record of a decision. Strings only, so that no number changes on its way into a store."""
        conditions: list[Json] = []
        for condition, result in zip(self.rule.when, self.results, strict=True):
            shown: JsonObject = {
                "text": condition.text,
                "result": _result(result),
                "values": cast(JsonObject, self._values(condition)),
            }
            if isinstance(result, Unknown):
                shown["why"] = result.why
            conditions.append(shown)
        return {
            "policy_id": self.policy_id,
            "rule_id": self.rule.id,
            "effect": self.rule.effect.value,
            "result": _result(all_of(self.results)),
            "conditions": conditions,
        }

    def _values(self, condition: Condition) -> dict[str, str]:
        return {label: _seen(read(self.inputs)) for label, _, read in condition.reads}


class PartTrace(NamedTuple):
    """A list of destinations, or the processing registers, that applied to the call; the same form as a rule's."""

    policy_id: str
    finding: Finding

    @property
    def result(self) -> str:
        return self.finding.result

    def to_json(self) -> JsonObject:
        finding = self.finding
        condition: JsonObject = {
            "text": printable(finding.quote, LONGEST_QUOTE),
            "result": finding.result,
            "values": {name: printable(value, LONGEST_QUOTE) for name, value in finding.seen.items()},
        }
        if finding.why:
            condition["why"] = finding.why
        return {
            "policy_id": self.policy_id,
            "rule_id": finding.id,
            "effect": str(finding.effect or Effect.DENY),
            "result": finding.result,
            "conditions": [condition],
        }


def trace(verdicts: Iterable[Verdict], inputs: Inputs) -> tuple[RuleTrace | PartTrace, ...]:
    """Every rule that applied, in order of policy and rule, then what destinations and registers said."""
    found: list[RuleTrace | PartTrace] = []
    for verdict in verdicts:
        pairs = zip(verdict.plan.rules, verdict.results, strict=True)
        found += [RuleTrace(verdict.policy_id, planned.rule, results, inputs) for planned, results in pairs]
        found += [PartTrace(verdict.policy_id, finding) for finding in verdict.findings]
    return tuple(found)


def citations(verdicts: Sequence[Verdict]) -> list[JsonObject]:
    """The clauses on which `verdicts` rest. Contract section 2; no member is null, `page` is left out without one."""
    cited: list[JsonObject] = []
    for verdict in verdicts:
        cited.extend(_citation(verdict, found.rule.id, found.rule.quote) for found in verdict.grounds())
        cited.extend(_citation(verdict, finding.id, finding.quote) for finding in verdict.objecting())
        if verdict.ground is Ground.UNCOMPILED:
            cited.extend(_citation(verdict, "", sentence) for sentence in verdict.policy.document.open_text)
    return cited[:MOST_CITED]


def reason(effect: Effect, verdicts: Sequence[Verdict], inputs: Inputs, objections: Sequence[str]) -> str:
    """Why, in plain words. `verdicts` are those that decided, the reported one first; none: the tenant's default."""
    sentences = [_sentence(verdict, inputs) for verdict in verdicts[:MOST_NAMED] if verdict.effect is effect]
    if len(verdicts) > MOST_NAMED:
        sentences.append(f"{len(verdicts) - MOST_NAMED} more policies say the same.")
    if not verdicts:
        sentences = [_uncovered(effect, inputs.call.tool_name)]
    if objections and effect is Effect.REVIEW:
        sentences.append(f"A person must decide: {'; '.join(objections)}.")
    return " ".join(sentences)


def _uncovered(default: Effect, tool: str) -> str:
    match default:
        case Effect.APPROVE:
            return f"Approved: no active policy covers the tool {spell(tool)}, and such calls are approved by setting."
        case Effect.REVIEW:
            return f"A person must decide: no active policy covers the tool {spell(tool)}."
        case Effect.DENY:
            return f"Denied: no active policy covers the tool {spell(tool)}, and such calls are denied by setting."
        case _:
            assert_never(default)


def _sentence(verdict: Verdict, inputs: Inputs) -> str:
    name = f"policy '{printable(verdict.policy_id, LONGEST_QUOTE)}'"
    match verdict.ground, verdict.effect:
        case Ground.RULE, Effect.APPROVE:
            return f"Approved by {name}, {_rules(verdict, inputs)}."
        case Ground.RULE, Effect.DENY:
            return f"Denied by {name}, {_rules(verdict, inputs)}."
        case Ground.RULE, Effect.REVIEW:
            return f"A person must decide, by {name}, {_rules(verdict, inputs)}."
        case Ground.PART, Effect.DENY:
            return f"Denied by {name}, {_parts(verdict)}."
        case Ground.PART, _:
            return f"A person must decide: {name} can't be decided by {_parts(verdict)}."
        case Ground.UNKNOWN, _:
            return f"A person must decide: {name} can't be decided by {_rules(verdict, inputs)}."
        case Ground.UNCOMPILED, _:
            return f"A person must decide: {name} has text that is no executable rule: {_uncompiled(verdict)}."
        case Ground.OTHERWISE, Effect.APPROVE:
            return f"Approved by {name}: it covers this call, and none of its rules speaks against it."
        case Ground.OTHERWISE, Effect.DENY:
            return f"Denied by {name}: none of its rules approves this call."
        case _:
            return f"A person must decide: no rule of {name} approves this call."


def _parts(verdict: Verdict) -> str:
    return "; ".join(
        f"'{finding.id}' (\"{printable(finding.quote, LONGEST_QUOTE)}\"): {finding.why}"
        for finding in verdict.objecting()[:MOST_NAMED]
    )


def _rules(verdict: Verdict, inputs: Inputs) -> str:
    grounds = verdict.grounds()
    named = "; ".join(_rule(found, inputs) for found in grounds[:MOST_NAMED])
    return named if len(grounds) <= MOST_NAMED else f"{named}; and {len(grounds) - MOST_NAMED} more rules"


def _rule(found: RuleResult, inputs: Inputs) -> str:
    if isinstance(found.outcome, Unknown):
        because = found.outcome.why
    else:
        facts = (fact for condition in found.rule.when for fact in _facts(condition, found.rule.effect, inputs))
        because = ", ".join(list(dict.fromkeys(facts))[:MOST_FACTS])
    quote = f"rule '{found.rule.id}' (\"{printable(found.rule.quote, LONGEST_QUOTE)}\")"
    return f"{quote}: {because}" if because else quote


def _facts(condition: Condition, effect: Effect, inputs: Inputs) -> Iterable[str]:
    for reading in condition.reads[:MOST_NAMED]:
        value = reading.read(inputs)
        if isinstance(value, Unknown):
            yield value.why
        else:
            yield f"{reading.label} is {spell(value)}{_unit(reading.path, inputs)}"
    if condition.limit is not None:
        sign, limit = condition.limit
        yield f"{_SIGNS[sign]} {limit}" if effect is Effect.APPROVE else f"the limit is {limit}"


def _unit(path: Path, inputs: Inputs) -> str:
    declared = inputs.money.get(path[1:]) if path[0] == "args" else None
    return " in minor units" if declared and declared.unit is Unit.MINOR else ""


_SIGNS: Final = {"<": "less than", "<=": "at most", ">": "more than", ">=": "at least"}


def _uncompiled(verdict: Verdict) -> str:
    sentences = verdict.policy.document.open_text
    shown = "; ".join(f'"{printable(sentence, LONGEST_QUOTE)}"' for sentence in sentences[:MOST_NAMED])
    return shown if len(sentences) <= MOST_NAMED else f"{shown}; and {len(sentences) - MOST_NAMED} more"


def _citation(verdict: Verdict, rule_id: str, quote: str) -> JsonObject:
    return {
        "policy_id": verdict.policy_id,
        "policy_version_id": verdict.policy.version_id,
        "document": "",
        "section": "",
        "quote": quote,
        "rule_id": rule_id,
    }


def _result(outcome: Outcome) -> str:
    return "true" if outcome is True else "false" if outcome is False else "unknown"


def _why(outcome: Outcome) -> str:
    return outcome.why if isinstance(outcome, Unknown) else ""


def _seen(value: object) -> str:
    return "missing" if isinstance(value, Unknown) else spell(value)

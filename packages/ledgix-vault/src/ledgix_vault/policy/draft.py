"""From what a person sent, sentences and a definition, to a document that can be activated.

What `otherwise` becomes for sentences alone, and why it is approve:

English rules are constraints, not permits: "Refunds must not exceed $1000" denies above, "Amounts above 100 USD need
review" sends to a person above, and neither sentence says "approve". Approval needs a ground of its own, and that
ground is the confirmed policy itself: somebody with the right to do so named the tools, and every word that they wrote
is enforced. So a call within all limits is approved by `otherwise`, provided that

- every sentence compiled: one that didn't could have forbidden exactly this call, so the whole policy only reviews;
- `tools` names tools: "all tools", written as nothing or as `*`, was never looked at by anybody, so nothing is
  approved by silence;
- every condition of every rule could be decided for this call: one that is unknown (an amount that is missing, null,
  a string, negative, in another currency) makes the verdict review before `otherwise` is asked.

A definition says `otherwise` itself; it is review when it doesn't, also for sentences that stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ledgix_vault.policy.cel.errors import ConditionError
from ledgix_vault.policy.cel.types import Flaw, type_errors
from ledgix_vault.policy.conditions import Condition
from ledgix_vault.policy.definition import Definition, WrittenRule, parse_definition
from ledgix_vault.policy.english import compile_sentence
from ledgix_vault.policy.errors import PolicyError, Problem
from ledgix_vault.policy.globs import LONGEST_GLOB, covers
from ledgix_vault.policy.marked import Text
from ledgix_vault.policy.model import Effect, PolicyDocument, Rule, settled_otherwise
from ledgix_vault.policy.schemas import ToolSchema

LONGEST_ID = 256
LONGEST_SENTENCE = 4000
MOST_SENTENCES = 500
MOST_TOOLS = 500


def draft_policy(
    *,
    policy_id: str,
    description: str,
    sentences: Sequence[str],
    tools: Sequence[str],
    definition: str | None,
    schemas: Mapping[str, ToolSchema],
) -> PolicyDocument:
    """Raises PolicyError with every flaw of the form; a sentence that isn't understood is no flaw but `uncompiled`."""
    problems = list(_flaws_of_form(policy_id, sentences, tools))
    if problems:
        raise PolicyError(problems)
    covered = tuple(dict.fromkeys(tools))
    written = parse_definition(definition) if definition is not None else _sentences_alone(covered)
    rules = _compile_rules(written.rules, covered, schemas)
    taken = {rule.id for rule in rules}
    uncompiled: list[str] = []
    for number, sentence in enumerate(sentences, start=1):
        understood = compile_sentence(sentence, covered, schemas)
        if understood is None:
            uncompiled.append(sentence)
        else:
            rules.extend(_named(understood, number, taken))
    return PolicyDocument(
        policy_id=policy_id,
        description=description,
        tools=covered,
        rules=tuple(rules),
        uncompiled=tuple(uncompiled),
        sentences=tuple(sentences),
        otherwise=settled_otherwise(written.otherwise, tools=covered, rules=tuple(rules), uncompiled=tuple(uncompiled)),
        action_category=written.action_category,
        definition=definition or "",
    )


def schema_problems(document: PolicyDocument, schemas: Mapping[str, ToolSchema]) -> tuple[Problem, ...]:
    """What in an existing document could not work with `schemas`: to be asked before a schema changes under it."""
    found: list[Problem] = []
    for rule in document.rules:
        for condition in rule.when:
            flaws = _flaws_with(condition, _met(rule.tools, document.tools, schemas))
            found.extend(
                Problem(f"{flaw.message} (tool {tool})", where=f"rule {rule.id}", known_fields=flaw.known_fields)
                for tool, flaw in flaws
            )
    return tuple(found)


def _sentences_alone(tools: Sequence[str]) -> Definition:
    names_tools = all(pattern.strip("*?") for pattern in tools)
    return Definition((), Effect.APPROVE if names_tools else Effect.REVIEW, "")


def _flaws_of_form(policy_id: str, sentences: Sequence[str], tools: Sequence[str]) -> Iterator[Problem]:
    if not 1 <= len(policy_id) <= LONGEST_ID:
        yield Problem(f"must have 1 to {LONGEST_ID} characters", where="policy_id")
    if len(sentences) > MOST_SENTENCES:
        yield Problem(f"at most {MOST_SENTENCES} sentences", where="rules")
    for i, sentence in enumerate(sentences):
        if len(sentence) > LONGEST_SENTENCE:
            yield Problem(f"at most {LONGEST_SENTENCE} characters", where=f"rules[{i}]")
    if len(tools) > MOST_TOOLS:
        yield Problem(f"at most {MOST_TOOLS} tools", where="tools")
    for i, tool in enumerate(tools):
        if not 1 <= len(tool) <= LONGEST_GLOB:
            yield Problem(f"a tool pattern has 1 to {LONGEST_GLOB} characters", where=f"tools[{i}]")


def _compile_rules(
    written: Sequence[WrittenRule], tools: tuple[str, ...], schemas: Mapping[str, ToolSchema]
) -> list[Rule]:
    problems: list[Problem] = []
    rules: list[Rule] = []
    for rule in written:
        met = _met(rule.tools, tools, schemas)
        when: list[Condition] = []
        for text in rule.when:
            try:
                condition = Condition.parse(text.value)
            except ConditionError as error:
                problems.append(_problem(text, rule, error.message, error.offset, ()))
                continue
            when.append(condition)
            for tool, flaw in _flaws_with(condition, met):
                problems.append(_problem(text, rule, f"{flaw.message} (tool {tool})", flaw.offset, flaw.known_fields))
        rules.append(Rule(rule.id, rule.effect, rule.tools, tuple(when), rule.source))
    if problems:
        raise PolicyError(problems)
    return rules


def _met(own: Sequence[str], policy: Sequence[str], schemas: Mapping[str, ToolSchema]) -> list[ToolSchema]:
    """The schemas of the tools that a rule applies to, by tool name."""
    return [schema for name, schema in sorted(schemas.items()) if covers(policy, name) and covers(own, name)]


def _flaws_with(condition: Condition, met: Sequence[ToolSchema]) -> Iterator[tuple[str, Flaw]]:
    """Type errors with the tool that has them, each kind of error once for each place."""
    seen: set[tuple[str, int]] = set()
    for schema in met:
        for flaw in type_errors(condition.node, schema.args):
            if (flaw.message, flaw.offset) not in seen:
                seen.add((flaw.message, flaw.offset))
                yield schema.tool_name, flaw


def _problem(text: Text, rule: WrittenRule, message: str, offset: int, known: tuple[str, ...]) -> Problem:
    line, column = text.place(offset)
    return Problem(message, line, column, f"rule {rule.id}", known)


def _named(rules: Sequence[Rule], number: int, taken: set[str]) -> Iterator[Rule]:
    """Gives a sentence's rules their ids: `r3`, or `r3a`, `r3b` … where it takes several; never one that is taken."""
    for i, rule in enumerate(rules):
        wanted = f"r{number}" + (chr(ord("a") + i) if len(rules) > 1 else "")
        while wanted in taken:
            wanted += "-s"
        taken.add(wanted)
        yield Rule(wanted, rule.effect, rule.tools, rule.when, rule.source, rule.assumptions)
